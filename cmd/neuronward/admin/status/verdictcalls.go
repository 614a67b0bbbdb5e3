package status

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
)

// Shares of calls that failed in the last minutes: the aim is 1 in 100. One or two failures are no more than a warning.
const (
	warningShare  = 0.01
	criticalShare = 0.1
	criticalCalls = 3
)

// sums are the calls and failures of the last minutes.
type sums struct {
	calls   int64 // that somebody else than their caller, or a limit, could have failed
	failed  int64
	callers int64 // failures that callers alone can fix
	byQuota int64 // refusals for want of the account's neurons
	byRest  int64 // refusals of which the finding of clients speaks
	byStore int64 // refusals for lack of the store
	worst   *minutes.CodeFailures
	limit   *minutes.CodeFailures // that refused most calls
}

func sumsOf(failures []minutes.CodeFailures, calls int64) sums {
	var s sums
	for i := range failures {
		f := &failures[i]
		n := f.Recent.Total()
		if f.Caller {
			s.callers += n
			continue
		}
		switch f.Code {
		case normalize.AccountLimited:
			s.byQuota += n
			s.limit = larger(s.limit, f)
		case normalize.ClientBudgetExhausted, normalize.PriorityFloor:
			s.byRest += n
			s.limit = larger(s.limit, f)
		case normalize.StoreUnavailable:
			s.byStore += n
		default:
			s.failed += n
			s.worst = larger(s.worst, f)
		}
	}
	s.calls = max(calls-s.callers-s.byQuota-s.byRest-s.byStore, s.failed) // some refusals are no calls
	return s
}

// larger returns which of two codes more calls failed with of late, nil if none did.
func larger(a, b *minutes.CodeFailures) *minutes.CodeFailures {
	if n := b.Recent.Total(); n > 0 && (a == nil || n > a.Recent.Total()) {
		return b
	}
	return a
}

// mostRefused reports whether limits refuse most calls, and hardly any other call fails.
func (s *sums) mostRefused() bool {
	refused := s.byQuota + s.byRest
	return refused >= criticalCalls && refused > s.calls && float64(s.failed) < warningShare*float64(max(s.calls, 1))
}

// isCritical reports whether so many of the calls are too many.
func (s *sums) isCritical(n int64) bool {
	return n >= criticalCalls && float64(n) >= criticalShare*float64(s.calls+s.byQuota)
}

func (s *sums) finding() Finding {
	var besides string
	refused := s.byQuota + s.byRest
	if refused > 0 && !s.mostRefused() {
		besides += fmt.Sprintf(" %s refused by a limit.", words.Plural(refused, "more was", "more were"))
	}
	if s.byStore > 0 {
		besides += fmt.Sprintf(" %s refused for lack of the store.",
			words.Plural(s.byStore, "more was", "more were"))
	}
	if s.callers > 0 {
		besides += fmt.Sprintf(" %s by the caller's own fault.",
			words.Plural(s.callers, "more failed", "more failed"))
	}
	switch {
	case s.mostRefused():
		return Finding{
			StateWarning, fmt.Sprintf("%s of %s were refused by a limit in the last 5 minutes.", words.Grouped(refused),
				words.Plural(refused+s.calls, "call", "calls")), codeOf(s.limit, refused) + besides,
		}
	case s.calls == 0:
		return Finding{StateOK, "No call in the last 5 minutes." + besides, ""}
	case s.failed == 0:
		none := "None of " + words.Plural(s.calls, "call", "calls") + " failed in the last 5 minutes."
		return Finding{StateOK, none + besides, ""}
	}
	f := Finding{State: StateOK}
	share := float64(s.failed) / float64(s.calls)
	switch {
	case share >= criticalShare && s.failed >= criticalCalls:
		f.State = StateCritical
	case share >= warningShare:
		f.State = StateWarning
	}
	f.Because = fmt.Sprintf("%s of %s failed in the last 5 minutes (%s).",
		words.Grouped(s.failed), words.Plural(s.calls, "call", "calls"), percentOf(share))
	f.Action = codeOf(s.worst, s.failed) + besides
	return f
}

// codeOf says with which code most of n calls failed, and what to do.
func codeOf(most *minutes.CodeFailures, n int64) string {
	with := "Most with"
	if n == most.Recent.Total() {
		with = "With"
	}
	e := most.Code.Entry().Named(config.SettingName)
	return fmt.Sprintf("%s %d %s. %s", with, e.Number, e.Slug, e.Action)
}

func percentOf(share float64) string {
	if share < 0.01 {
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// recently is how long a refusal of a client counts, as failures do.
const recently = minutes.RecentMinutes * time.Minute

func clientsFinding(s *Status, now time.Time) Finding {
	over, low := map[string]bool{}, map[string]bool{}
	limited := 0
	for _, c := range s.Clients {
		if c.Limit != nil {
			limited++
			over[c.Name] = c.Remaining != nil && *c.Remaining <= *c.Limit/100
		}
		over[c.Name] = over[c.Name] || c.WouldRefuse["client_budget"] > 0
		low[c.Name] = c.WouldRefuse["priority_floor"] > 0
	}
	for _, f := range s.Failures {
		if now.Sub(f.Time) < recently {
			over[f.Client] = over[f.Client] || f.Name == normalize.ClientBudgetExhausted.String()
			low[f.Client] = low[f.Client] || f.Name == normalize.PriorityFloor.String()
		}
	}
	observed := s.Mode == config.ModeObserve
	becoming := func(names []string, is, are, would string) string {
		list := words.List(names)
		switch {
		case observed:
			return list + " " + would
		case len(names) == 1:
			return list + " " + is
		}
		return list + " " + are
	}
	if names := chosen(over); len(names) > 0 {
		return Finding{
			StateWarning,
			becoming(names, "is refused: too little is left of its own limit.",
				"are refused: too little is left of their own limits.",
				"would be refused: too little is left of the client's own limit."),
			"Ask for fewer output tokens, wait until 00:00 UTC, or raise the client's daily_neurons or " +
				"monthly_neurons in the clients file, which is read again by itself." + floorToo(chosen(low)),
		}
	}
	if names := chosen(low); len(names) > 0 {
		return Finding{
			StateWarning,
			becoming(names, "is refused for its low priority.", "are refused for their low priority.",
				"would be refused for their low priority."),
			"What is left of the day is kept for clients of higher priority. Wait until 00:00 UTC, or raise the " +
				"client's priority in the clients file.",
		}
	}
	switch {
	case limited > 0:
		return Finding{StateOK, words.Plural(limited, "client with a limit of its own is",
			"clients with limits of their own are") + " within it.", ""}
	case s.Day == nil:
		return Finding{StateOff, "What clients spend is not counted.", ""}
	}
	return Finding{StateOK, "No client that called today has a limit of its own.", ""}
}

func floorToo(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " Refused for low priority besides: " + words.List(names) + "."
}

// chosen returns the names that are true, in order.
func chosen(all map[string]bool) []string {
	maps.DeleteFunc(all, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(all))
}
