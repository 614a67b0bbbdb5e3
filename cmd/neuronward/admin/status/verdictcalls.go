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

// ofLimits are the codes of refusals that the findings of the quota and of clients are about.
func ofLimits(c normalize.Code) bool {
	return c == normalize.AccountLimited || c == normalize.ClientBudgetExhausted || c == normalize.PriorityFloor
}

func failuresFinding(failures []minutes.CodeFailures, calls int64) Finding {
	var failed, leftOut, byLimits int64
	var worst *minutes.CodeFailures
	for i := range failures {
		f := &failures[i]
		switch n := f.Recent.Total(); {
		case f.Caller:
			leftOut += n
		case ofLimits(f.Code):
			byLimits += n
		default:
			if failed += n; n > 0 && (worst == nil || n > worst.Recent.Total()) {
				worst = f
			}
		}
	}
	calls = max(calls-leftOut-byLimits, failed) // some refusals are no calls
	var besides string
	if byLimits > 0 {
		besides += fmt.Sprintf(" %s refused by a limit.", words.Plural(byLimits, "more was", "more were"))
	}
	if leftOut > 0 {
		besides += fmt.Sprintf(" %s by the caller's own fault.", words.Plural(leftOut, "more failed", "more failed"))
	}
	f := Finding{State: StateOK}
	switch {
	case calls == 0:
		f.Because = "No call in the last 5 minutes." + besides
		return f
	case failed == 0:
		f.Because = "None of " + words.Plural(calls, "call", "calls") + " failed in the last 5 minutes." + besides
		return f
	}
	share := float64(failed) / float64(calls)
	switch {
	case share >= criticalShare && failed >= criticalCalls:
		f.State = StateCritical
	case share >= warningShare:
		f.State = StateWarning
	}
	f.Because = fmt.Sprintf("%s of %s failed in the last 5 minutes (%s).",
		words.Grouped(failed), words.Plural(calls, "call", "calls"), percentOf(share))
	e := worst.Code.Entry().Named(config.SettingName)
	most := "Most with"
	if failed == worst.Recent.Total() {
		most = "With"
	}
	f.Action = fmt.Sprintf("%s %d %s. %s%s", most, e.Number, e.Slug, e.Action, besides)
	return f
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
			becoming(names, "has spent its own limit and is refused.", "have spent their own limits and are refused.",
				"would be refused for their own limit."),
			"Wait until 00:00 UTC, or raise the client's daily_neurons or monthly_neurons in the clients file; " +
				"it is read again by itself." + floorToo(chosen(low)),
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
