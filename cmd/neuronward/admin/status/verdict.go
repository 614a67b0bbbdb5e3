package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics/minutes"
)

// A State says how much somebody has to look.
type State string

// The states, from the best to the worst.
const (
	StateOff      State = "off"      // nothing is counted, so nothing is known
	StateOK       State = "ok"       //
	StateWarning  State = "warning"  // calls are served, but not all of them, or not for long
	StateCritical State = "critical" // many calls fail
)

// A Finding is the state of one matter, in plain words.
type Finding struct {
	State   State  `json:"state"`
	Because string `json:"because"` // one short sentence
	Action  string `json:"action"`  // what it means, and what to do; "": nothing
}

// A Verdict is the worst of four findings; of two that are as bad, the first.
type Verdict struct {
	Finding
	Quota    Finding `json:"quota"`    // of the account
	Failures Finding `json:"failures"` // of the last minutes, without those that callers alone can fix
	Clients  Finding `json:"clients"`  // their own limits, and what is kept from those of low priority
	Store    Finding `json:"store"`
}

// Judge returns the verdict on s. failures and calls are those of the last minutes.
func Judge(s *Status, failures []minutes.CodeFailures, calls int64, now time.Time) Verdict {
	sums := sumsOf(failures, calls)
	v := Verdict{
		Quota: quotaFinding(s, &sums, now), Failures: sums.finding(),
		Clients: clientsFinding(s, now), Store: storeFinding(s.Store),
	}
	v.Finding = v.Quota
	others := []Finding{v.Failures, v.Clients, v.Store}
	if sums.mostRefused() { // the finding of clients says whose limit it is
		others[0], others[1] = others[1], others[0]
	}
	for _, f := range others {
		if rank(f.State) > rank(v.State) {
			v.Finding = f
		}
	}
	return v
}

// rank orders the states. Where neurons are not counted but nothing else is wrong, that is the verdict.
func rank(s State) int {
	return map[State]int{StateOff: 1, StateOK: 1, StateWarning: 2, StateCritical: 3}[s]
}

// nearlySpent is the part of a day's limit from which on the quota is a warning.
const nearlySpent = 0.9

func quotaFinding(s *Status, sums *sums, now time.Time) Finding {
	t := &s.Today
	if t.Day == nil {
		return Finding{StateOff, "Neurons are not counted.", "NEURONWARD_QUOTA_MODE is off: this proxy enforces no " +
			"limit and does not know what the day costs."}
	}
	spent := (*t.Used + *t.External).Float()
	reset := "the reset at 00:00 UTC, in " + words.Span(t.Day.End().Sub(now)) + "."
	f := Finding{State: StateOK, Action: expectation(t, reset)}
	switch {
	case t.Blocked:
		f.State, f.Because = StateCritical, "Workers AI says that the day's neurons are spent (quota block)."
		f.Action = fmt.Sprintf("%s%s until %s This proxy knows of %s.%s%s", refused(t, "Calls are refused"),
			since(t.ExhaustedAt), reset, inWords(spent), probe(t.RetryAt), paidPlan(t))
	case t.Limit == nil:
		f.Because = inWords(spent) + " spent today; no limit is set."
	case t.PlanWrong && t.ExhaustedAt != nil:
		f.State, f.Because = StateCritical, fmt.Sprintf("The free plan's %s neurons are spent%s.",
			words.Rounded(t.Limit.Float()), since(t.ExhaustedAt))
		f.Action = refused(t, "Calls are refused") + " until " + reset +
			" More was answered than the free plan gives: on Workers Paid, set NEURONWARD_PLAN=paid."
	case t.ExhaustedAt != nil:
		f.State, f.Because = StateCritical, fmt.Sprintf("The day's %s neurons are spent%s.",
			words.Rounded(t.Limit.Float()), since(t.ExhaustedAt))
		f.Action = fmt.Sprintf("%s until %s %s", refused(t, "Calls that cost more than the "+
			words.Rounded(t.Remaining.Float())+" that are left are refused"), reset, raise(t))
	default:
		f.Because = words.Rounded(spent) + " of " + inWords(t.Limit.Float()) + " spent."
		if gone := t.Limit.Float() - t.Remaining.Float(); t.Limit.Float() > 0 && gone >= nearlySpent*t.Limit.Float() {
			f.State, f.Because = StateWarning, fmt.Sprintf("Nearly spent: %s of %s are left.",
				words.Rounded(t.Remaining.Float()), inWords(t.Limit.Float()))
			f.Action = "They must last until " + reset
			if t.Forecast != nil {
				f.Action = expectation(t, reset)
			}
			f.Action += " Large calls are refused first. " + raise(t)
			if sums.isCritical(sums.byQuota) {
				f.State = StateCritical
			}
		} else if sums.byQuota > 0 {
			f.State, f.Because = StateWarning, fmt.Sprintf("%s refused in the last 5 minutes: too large for the "+
				"neurons that are left.", words.Plural(sums.byQuota, "call was", "calls were"))
			f.Action = words.Rounded(t.Remaining.Float()) + " of " + inWords(t.Limit.Float()) + " are left until " +
				reset + " A call reserves what it may cost: ask for fewer output tokens, or for less at once."
		}
		if f.State == StateOK && t.Forecast != nil && t.Forecast.Earliest != nil {
			f.State, f.Because = StateWarning, expectation(t, reset)
			f.Action = words.Rounded(spent) + " of " + inWords(t.Limit.Float()) +
				" are spent. Stop what can wait until " + reset
		}
		if t.PlanWrong {
			f.State = StateWarning
			f.Action += " That is more than the free plan gives: on Workers Paid, set NEURONWARD_PLAN=paid."
		}
	}
	if t.Mode == config.ModeObserve && f.State == StateCritical {
		f.State = StateWarning // it is known, and nobody is refused
	}
	return f
}

// refused is what, or what it would be where quotas are observed alone.
func refused(t *Today, what string) string {
	if t.Mode == config.ModeObserve {
		return "Calls pass, since this proxy only observes (NEURONWARD_QUOTA_MODE); it would refuse them"
	}
	return what
}

// raise says how a day gets more neurons.
func raise(t *Today) string {
	switch {
	case t.Plan == config.PlanFree:
		return "Wait for it, or move to Workers Paid and set NEURONWARD_PLAN=paid."
	case t.Month != nil && t.Month.Remaining <= *t.Remaining:
		return "It is what the month has left: wait, or raise NEURONWARD_MONTHLY_NEURONS."
	}
	return "Wait for it, or raise NEURONWARD_DAILY_NEURONS."
}

// expectation says what will be left at the reset, or when the limit is reached.
func expectation(t *Today, reset string) string {
	f := t.Forecast
	switch {
	case f == nil && t.Remaining != nil:
		return words.Rounded(t.Remaining.Float()) + " are left until " + reset
	case f == nil:
		return "The day ends at " + strings.TrimPrefix(reset, "the reset at ")
	case f.Earliest != nil && f.Latest != nil:
		return fmt.Sprintf("At the present rate the neurons last until %s to %s UTC, not until 00:00.",
			minute(f.Earliest), minute(f.Latest))
	case f.Earliest != nil:
		return fmt.Sprintf("At the present rate the neurons may be spent from %s UTC on, before the reset at 00:00.",
			minute(f.Earliest))
	case t.Remaining != nil:
		low, high := t.Limit.Float()-f.High.Float()-t.Lost.Float(), t.Limit.Float()-f.Low.Float()-t.Lost.Float()
		return "At the present rate " + words.Between(max(low, 0), max(high, 0)) + " are left at " + reset
	}
	return "At the present rate it will be " + words.Between(f.Low.Float(), f.High.Float()) + " by " + reset
}

func since(at *time.Time) string {
	if at == nil {
		return ""
	}
	return " since " + minute(at) + " UTC"
}

func probe(at *time.Time) string {
	if at == nil {
		return ""
	}
	return " One call tests the block at " + minute(at) + " UTC."
}

// paidPlan says how an account on the free plan gets more neurons.
func paidPlan(t *Today) string {
	if t.Plan != config.PlanFree {
		return ""
	}
	return " On Workers Paid, set NEURONWARD_PLAN=paid."
}

func minute(at *time.Time) string { return at.UTC().Format("15:04") }

// inWords shows whole neurons with their unit.
func inWords(n float64) string {
	if s := words.Rounded(n); s != "1" {
		return s + " neurons"
	}
	return "1 neuron"
}

func storeFinding(s Store) Finding {
	var failure string
	if s.Failure != nil {
		failure = " (" + strings.TrimPrefix(*s.Failure, "quota: the store fails: ") + ")"
	}
	switch {
	case s.Kind == "none":
		return Finding{StateOff, "Nothing is stored.", ""}
	case s.Failure == nil && s.Kind == config.StoreMemory:
		return Finding{StateOK, "Usage is kept in memory, and forgotten when the process ends.", ""}
	case s.Failure == nil:
		return Finding{StateOK, "Usage is stored (" + s.Kind + ").", ""}
	case s.Policy == config.FailureAllow:
		return Finding{
			StateWarning, "The store (" + s.Kind + ") does not answer; calls go on.",
			"Meanwhile each process counts by itself, and limits may be passed. Look at the server in " +
				"NEURONWARD_STORE." + failure,
		}
	}
	return Finding{
		StateCritical, "The store (" + s.Kind + ") does not answer; calls are refused.",
		"Bring back what NEURONWARD_STORE names; then calls are taken again by themselves." + failure,
	}
}
