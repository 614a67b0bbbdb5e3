package page

import (
	"html/template"
	"time"
)

// How much a reader must do about something.
const (
	levelOK      = "ok"
	levelWatch   = "watch"
	levelTrouble = "trouble"
	levelNone    = "none" // there is nothing to judge
)

// A verdict is the day in words: how it stands, and what will become of it.
type verdict struct {
	Level string
	State string // one of fine, will run out, latched, spent, no ceiling, off
	Head  template.HTML
	Then  template.HTML
	Notes []template.HTML
}

func verdictOf(s *State) verdict {
	d := s.Day
	if d == nil {
		return verdict{
			Level: levelNone, State: "off", Head: "Neurons are not counted.",
			Then: "NEURONWARD_QUOTA_MODE is off: no call is refused for the day’s sake, and nobody here knows what the day costs.",
		}
	}
	v := d.verdict(s.Now)
	if s.Mode == "observe" && d.Limit != nil {
		v.Notes = append(v.Notes, "This proxy only observes (NEURONWARD_QUOTA_MODE): what would be refused is counted, and passes.")
	}
	if d.PlanWrong {
		v.Level = levelTrouble
		v.Notes = append(v.Notes, "That is more than the free plan gives. On Workers Paid, set NEURONWARD_PLAN=paid.")
	}
	if d.External > 0 {
		v.Notes = append(v.Notes, sentence(amount(d.External), " of it outside this proxy, by the account’s own figure."))
	}
	if d.YesterdayNow != nil && d.YesterdayUsed > 0 {
		v.Notes = append(v.Notes, sentence("Yesterday it was ", amount(*d.YesterdayNow), " by this time of the day, ", amount(d.YesterdayUsed), " in the end."))
	}
	return v
}

func (d *Day) verdict(now time.Time) verdict {
	reset := sentence(clock(d.End()), ", in ", span(d.End().Sub(now)))
	if d.Latched {
		v := verdict{Level: levelTrouble, State: "latched", Head: "Workers AI says that the day is spent."}
		since := sentence("It said so")
		if d.ExhaustedAt != nil {
			since = sentence("It said so at ", clock(*d.ExhaustedAt))
		}
		v.Then = sentence(since, "; ", amount(d.Spent()), " neurons are known of here. Calls wait for the reset at ", reset, ".")
		if d.RetryAt != nil {
			v.Then = sentence(v.Then, " One is let through at ", clock(*d.RetryAt), " to see.")
		}
		return v
	}
	if d.Limit == nil {
		v := verdict{Level: levelOK, State: "no ceiling", Head: sentence(amount(d.Spent()), " neurons spent today; no ceiling is set.")}
		if d.Rate > 0 {
			v.Then = sentence("At the present rate it will be about ", about(d.atReset(now)), " by the reset at ", reset, ".")
		} else {
			v.Then = sentence("None in the last hour. The day ends at ", reset, ".")
		}
		return v
	}
	head := sentence(amount(d.Spent()), " of ", amount(*d.Limit), " neurons spent.")
	switch {
	case d.ExhaustedAt != nil:
		return verdict{
			Level: levelTrouble, State: "spent", Head: sentence("The day’s ", amount(*d.Limit), " neurons are spent, since ", clock(*d.ExhaustedAt), "."),
			Then: sentence("What costs more than the ", amount(*d.Remaining), " that are left waits for the reset at ", reset, "."),
		}
	case d.ExpectedAt != nil:
		return verdict{
			Level: levelWatch, State: "will run out", Head: head,
			Then: sentence("At the present rate the day’s neurons last until ", clock(*d.ExpectedAt), ", ", span(d.End().Sub(*d.ExpectedAt)), " before the reset."),
		}
	case d.Rate > 0:
		return verdict{
			Level: levelOK, State: "fine", Head: head,
			Then: sentence("At the present rate about ", about(max(*d.Limit-d.Lost-d.atReset(now), 0)), " are left at the reset at ", reset, "."),
		}
	}
	return verdict{Level: levelOK, State: "fine", Head: head, Then: sentence("None in the last hour: ", amount(*d.Remaining), " are left until the reset at ", reset, ".")}
}

// atReset is what the day will have cost if it goes on as at present.
func (d *Day) atReset(now time.Time) float64 {
	return d.Spent() + d.Rate*max(d.End().Sub(now), 0).Seconds()
}
