package reference

import (
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// A Row is one thing that the catalog says of an entry.
type Row struct{ Name, Text string }

// Rows is an entry as people read it: first what they can do.
func Rows(e *normalize.Entry) []Row {
	rows := []Row{
		{"what to do", e.Action},
		{"who can fix it", faults[e.Fault]},
		{"retry", RetryRule(e)},
		{"costs", charges[e.Charge]},
		{"who refused", refusers(e.Origins)},
		{"by itself", e.Automatic},
		{"on the wire", e.Wire},
		{"number", numbers(e)},
		{"HTTP status", strconv.Itoa(e.Status)},
		{"error.code", e.Word()},
		{"error.type", string(e.Type)},
		{"source", sources[e.Source]},
	}
	return rows
}

// numbers is the number of an entry and the others that upstream uses for it.
func numbers(e *normalize.Entry) string {
	number := strconv.Itoa(e.Number)
	if len(e.Aliases) == 0 {
		return number
	}
	return number + ", also " + Aliases(e)
}

// Aliases are the other numbers that upstream uses for an entry.
func Aliases(e *normalize.Entry) string {
	all := make([]string, len(e.Aliases))
	for i, a := range e.Aliases {
		all[i] = strconv.Itoa(a)
	}
	return strings.Join(all, ", ")
}

// RetryRule is the retry rule of an entry, with how long to wait.
func RetryRule(e *normalize.Entry) string {
	switch e.Retry {
	case normalize.RetryAtReset:
		return "at the reset, 00:00 UTC"
	case normalize.RetryAfterDelay:
		return "after " + short(e.Delay)
	case normalize.RetryNever, normalize.RetryOnce:
	}
	return string(e.Retry)
}

// short is a duration for people: "1m", not "1m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	return s
}

var faults = map[normalize.Fault]string{
	normalize.FaultCaller:   "caller: the request must change",
	normalize.FaultAccount:  "account: its plan, permissions or allowance must change",
	normalize.FaultOperator: "operator: whoever runs the proxy must fix it",
	normalize.FaultUpstream: "upstream: Cloudflare, or the provider behind it, must fix it",
	normalize.FaultProxy:    "proxy: it could not do its work",
}

var charges = map[normalize.Charge]string{
	normalize.ChargeNone:     "0 neurons",
	normalize.ChargeReported: "the neurons that Workers AI reports of it, else 0",
	normalize.ChargeEstimate: "the neurons that were reserved, since the true cost is not known; 0 if nothing was sent",
}

var origins = map[normalize.Origin]string{
	normalize.OriginUpstream: "Cloudflare, or what is behind it (upstream)",
	normalize.OriginGuard:    "neuronward, which refused (guard)",
	normalize.OriginProxy:    "neuronward, which could not (proxy)",
}

func refusers(of []normalize.Origin) string {
	all := make([]string, len(of))
	for i, o := range of {
		all[i] = origins[o]
	}
	return strings.Join(all, "; ")
}

var sources = map[normalize.Source]string{
	normalize.SourceDocumented: "documented by Cloudflare",
	normalize.SourceObserved:   "observed on the wire",
	normalize.SourceOwn:        "of neuronward's own",
}
