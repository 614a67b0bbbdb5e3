package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/normalize"
)

const explainHelp = `Says what an error is, whose fault it is, whether to retry and what to do.

Usage:

  neuronward explain [--json]              the whole catalog
  neuronward explain [--json] CODE|SLUG    one entry, by any of its numbers
  neuronward explain [--json] -            what a failure on standard input is

With - it reads a body, a stream's event, or a whole HTTP response with its
status line and headers, as curl -i prints it, and says also how it knew.

  --json   entries, or what was recognized, for machines

Examples:

  neuronward explain 4006
  neuronward explain account_limited
  curl -si … | neuronward explain -
`

func explain(_ context.Context, in *invocation) int {
	fs := in.flags()
	asJSON := fs.Bool("json", false, "")
	args, code, ok := in.parse(fs, explainHelp, 1)
	switch {
	case !ok:
		return code
	case len(args) == 0:
		return in.explainAll(*asJSON)
	case args[0] == "-":
		return in.explainInput(*asJSON)
	}
	return in.explainOne(args[0], *asJSON)
}

func (in *invocation) explainAll(asJSON bool) int {
	catalog := normalize.Catalog()
	if asJSON {
		all := make([]entryJSON, len(catalog))
		for i := range catalog {
			all[i] = newEntryJSON(&catalog[i])
		}
		return in.printJSON(all)
	}
	fmt.Fprintf(in.stdout, "%-7s %-30s %-6s %-9s %s\n", "NUMBER", "NAME", "STATUS", "FAULT", "RETRY")
	for i := range catalog {
		e := &catalog[i]
		fmt.Fprintf(in.stdout, "%-7d %-30s %-6d %-9s %s\n", e.Number, e.Slug, e.Status, e.Fault, retryWords(e))
	}
	return exitDone
}

func (in *invocation) explainOne(asked string, asJSON bool) int {
	c, ok := normalize.Lookup(strings.ToLower(strings.TrimSpace(asked)))
	if !ok {
		slugs := make([]string, 0, len(normalize.Catalog()))
		for _, e := range normalize.Catalog() {
			slugs = append(slugs, e.Slug)
		}
		hint := "neuronward explain lists them all; to read a whole answer, pipe it into neuronward explain -"
		if near := config.Nearest(asked, slugs); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		fmt.Fprintf(in.stderr, "neuronward explain: there is no code %q in the catalog; %s\n", asked, hint)
		return exitUsage
	}
	e := c.Entry()
	if asJSON {
		return in.printJSON(newEntryJSON(e))
	}
	if n, err := strconv.Atoi(strings.TrimSpace(asked)); err == nil && n != e.Number {
		fmt.Fprintf(in.stdout, "%d is another number for %d.\n\n", n, e.Number)
	}
	fmt.Fprintf(in.stdout, "%s\n\n%s\n%s", headline(e), paragraph("", "", e.Summary), facts(e))
	return exitDone
}

func (in *invocation) explainInput(asJSON bool) int {
	text, err := io.ReadAll(io.LimitReader(in.stdin, maxInput))
	if err != nil {
		return in.fail(fmt.Errorf("reading standard input: %w", err))
	}
	f, err := recognize(text)
	if err != nil {
		fmt.Fprintf(in.stderr, "neuronward explain: %v\n", err)
		return exitUsage
	}
	if asJSON {
		return in.printJSON(f)
	}
	e := f.entry
	fmt.Fprintf(in.stdout, "%s\n\n%s\n", headline(e), paragraph("", "", e.Summary))
	fmt.Fprint(in.stdout, row("Read as", f.ReadAs))
	fmt.Fprint(in.stdout, row("Known by", f.knownBy()))
	if f.Message != e.Summary {
		fmt.Fprint(in.stdout, row("Message", f.Message))
	}
	if f.Number != e.Number {
		fmt.Fprint(in.stdout, row("Number", strconv.Itoa(f.Number)+", which the catalog does not list"))
	}
	fmt.Fprint(in.stdout, facts(e))
	return exitDone
}

// headline names an entry in one line.
func headline(e *normalize.Entry) string {
	return fmt.Sprintf("%s  %d  HTTP %d", e.Slug, e.Number, e.Status)
}

// facts writes what an entry says, a row each.
func facts(e *normalize.Entry) string {
	e = withSettings(e)
	var b strings.Builder
	b.WriteString(row("Fault", faultWords(e.Fault)))
	b.WriteString(row("Retry", retryWords(e)))
	b.WriteString(row("Do", e.Action))
	b.WriteString(row("By itself", e.Automatic))
	b.WriteString(row("Costs", chargeWords(e.Charge)))
	b.WriteString(row("Said by", originWords(e.Origins)))
	b.WriteString(row("On the wire", e.Wire))
	if len(e.Aliases) > 0 {
		var numbers []string
		for _, n := range e.Aliases {
			numbers = append(numbers, strconv.Itoa(n))
		}
		b.WriteString(row("Also sent as", strings.Join(numbers, ", ")))
	}
	if e.OpenAI != "" {
		b.WriteString(row("error.code", e.OpenAI))
	}
	b.WriteString(row("Source", string(e.Source)))
	return b.String()
}

func row(name, text string) string {
	if text == "" {
		return ""
	}
	return paragraph(fmt.Sprintf("  %-13s ", name), strings.Repeat(" ", 16), text)
}

func retryWords(e *normalize.Entry) string {
	switch e.Retry {
	case normalize.RetryNever:
		return "never"
	case normalize.RetryAtReset:
		return "at the reset, 00:00 UTC"
	case normalize.RetryOnce:
		return "once"
	case normalize.RetryAfterDelay:
		if e.Delay > 0 {
			return "after " + config.ShortDuration(e.Delay)
		}
		return "after a wait"
	}
	return string(e.Retry)
}

func faultWords(f normalize.Fault) string {
	switch f {
	case normalize.FaultCaller:
		return "caller: the request must change"
	case normalize.FaultAccount:
		return "account: its plan, permissions or allowance must change"
	case normalize.FaultOperator:
		return "operator: whoever runs the proxy must fix it"
	case normalize.FaultUpstream:
		return "upstream: Workers AI must fix it"
	case normalize.FaultProxy:
		return "proxy: it could not do its work"
	}
	return string(f)
}

func chargeWords(c normalize.Charge) string {
	switch c {
	case normalize.ChargeNone:
		return "nothing"
	case normalize.ChargeReported:
		return "what Workers AI reported, if it did"
	case normalize.ChargeEstimate:
		return "what was reserved, since the cost is not known"
	}
	return string(c)
}

func originWords(origins []normalize.Origin) string {
	var all []string
	for _, o := range origins {
		switch o {
		case normalize.OriginUpstream:
			all = append(all, "Workers AI (upstream)")
		case normalize.OriginGuard:
			all = append(all, "neuronward, which refused (guard)")
		case normalize.OriginProxy:
			all = append(all, "neuronward, which could not (proxy)")
		default:
			all = append(all, string(o))
		}
	}
	return strings.Join(all, "; ")
}

// withSettings is an entry with the names of settings in its texts.
func withSettings(e *normalize.Entry) *normalize.Entry {
	n := e.Named(config.SettingName)
	return &n
}

// entryJSON is an entry of the catalog for machines.
type entryJSON struct {
	Name       string             `json:"name"`
	Number     int                `json:"number"`
	Aliases    []int              `json:"aliases"`
	Status     int                `json:"status"`
	Type       normalize.Type     `json:"type"`
	Code       string             `json:"code"` // what error.code carries
	Retry      normalize.Retry    `json:"retry"`
	RetryAfter int64              `json:"retry_after_ms"`
	Fault      normalize.Fault    `json:"fault"`
	Origins    []normalize.Origin `json:"origins"`
	Charge     normalize.Charge   `json:"charge"`
	Summary    string             `json:"summary"`
	Action     string             `json:"action"`
	Automatic  string             `json:"automatic"`
	Wire       string             `json:"wire"`
	Source     normalize.Source   `json:"source"`
}

func newEntryJSON(e *normalize.Entry) entryJSON {
	e = withSettings(e)
	return entryJSON{
		Name: e.Slug, Number: e.Number, Aliases: append([]int{}, e.Aliases...), Status: e.Status, Type: e.Type,
		Code: e.Word(), Retry: e.Retry, RetryAfter: e.Delay.Milliseconds(), Fault: e.Fault, Origins: e.Origins,
		Charge: e.Charge, Summary: e.Summary, Action: e.Action, Automatic: e.Automatic, Wire: e.Wire, Source: e.Source,
	}
}
