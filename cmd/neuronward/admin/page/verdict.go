package page

import (
	"html/template"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

// Levels say how much attention something needs.
const (
	levelOK      = "ok"
	levelWatch   = "watch"
	levelTrouble = "trouble"
	levelNone    = "none" // nothing to judge
)

// A verdict is the day in words: its state now, and the forecast.
type verdict struct {
	Level string
	State string // one of fine, will run out, blocked, spent, no limit, off
	Head  template.HTML
	Then  template.HTML
	Notes []template.HTML
}

func verdictOf(t *status.Today, now time.Time) verdict {
	if t.Day == nil {
		return verdict{
			Level: levelNone, State: "off", Head: "Neurons are not counted.",
			Then: "NEURONWARD_QUOTA_MODE is off: this proxy enforces no limit and does not know what the day costs.",
		}
	}
	v := dayVerdict(t, now)
	if t.Mode == "observe" && t.Limit != nil {
		v.Notes = append(v.Notes, "This proxy only observes (NEURONWARD_QUOTA_MODE): "+
			"calls that would be refused are counted, and pass.")
	}
	if t.PlanWrong {
		v.Level = levelTrouble
		v.Notes = append(v.Notes, "That is more than the free plan gives. On Workers Paid, set NEURONWARD_PLAN=paid.")
	}
	if *t.External > 0 {
		v.Notes = append(v.Notes, sentence(amount(*t.External),
			" of it outside this proxy, by the account’s own figure."))
	}
	if y := t.Yesterday; y != nil && y.ByNow != nil && y.Used > 0 {
		v.Notes = append(v.Notes, sentence("Yesterday it was ", amount(*y.ByNow), " by this time of the day, ",
			amount(y.Used), " in the end."))
	}
	return v
}

func dayVerdict(t *status.Today, now time.Time) verdict {
	end := t.Day.End()
	reset := sentence(clock(end), ", in ", span(end.Sub(now)))
	if t.Blocked {
		return blockedVerdict(t, reset)
	}
	if t.Limit == nil {
		v := verdict{Level: levelOK, State: "no limit"}
		v.Head = sentence(amount(spent(t)), " neurons spent today; no limit is set.")
		if t.Rate > 0 {
			v.Then = sentence("At the present rate it will be about ", about(atReset(t, now)),
				" by the reset at ", reset, ".")
		} else {
			v.Then = sentence("None in the last hour. The day ends at ", reset, ".")
		}
		return v
	}
	v := verdict{Level: levelOK, State: "fine"}
	v.Head = sentence(amount(spent(t)), " of ", amount(*t.Limit), " neurons spent.")
	switch {
	case t.ExhaustedAt != nil:
		v.Level, v.State = levelTrouble, "spent"
		v.Head = sentence("The day’s ", amount(*t.Limit), " neurons are spent, since ", clock(*t.ExhaustedAt), ".")
		v.Then = sentence("Calls that cost more than the ", amount(*t.Remaining),
			" that are left are refused until the reset at ", reset, ".")
	case t.ExpectedAt != nil:
		v.Level, v.State = levelWatch, "will run out"
		v.Then = sentence("At the present rate the day’s neurons last until ", clock(*t.ExpectedAt), ", ",
			span(end.Sub(*t.ExpectedAt)), " before the reset.")
	case t.Rate > 0:
		left := max((*t.Limit-*t.Lost).Float()-atReset(t, now), 0)
		v.Then = sentence("At the present rate about ", about(left), " are left at the reset at ", reset, ".")
	default:
		v.Then = sentence("None in the last hour: ", amount(*t.Remaining), " are left until the reset at ", reset, ".")
	}
	return v
}

func blockedVerdict(t *status.Today, reset template.HTML) verdict {
	v := verdict{Level: levelTrouble, State: "blocked", Head: "Workers AI says that the day is spent."}
	since := sentence("It said so")
	if t.ExhaustedAt != nil {
		since = sentence("It said so at ", clock(*t.ExhaustedAt))
	}
	v.Then = sentence(since, "; this proxy knows of ", amount(spent(t)),
		" neurons. Calls are refused until the reset at ", reset, ".")
	if t.RetryAt != nil {
		v.Then = sentence(v.Then, " One call tests it at ", clock(*t.RetryAt), ".")
	}
	return v
}

// spent is what the day has cost, through this proxy and outside it.
func spent(t *status.Today) status.Neurons { return *t.Used + *t.External }

// atReset is what the day will have cost at the present rate, in whole neurons.
func atReset(t *status.Today, now time.Time) float64 {
	return spent(t).Float() + t.Rate*max(t.Day.End().Sub(now), 0).Seconds()
}
