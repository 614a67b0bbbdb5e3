package page

import (
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

func TestVerdict(t *testing.T) {
	at := func(hour, minute int) *time.Time {
		return new(today.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute))
	}
	const (
		reset = "the reset at 00:00 UTC, in 8 h 36 min."
		some6 = "6,000 of 10,000 neurons spent."
	)
	for _, c := range []struct {
		name              string
		change            func(d *status.Today)
		state, level      string
		head, then, notes string
	}{
		{
			name:   "it will last",
			change: func(d *status.Today) { d.External = some(214) },
			state:  "fine", level: "ok", head: "6,214 of 10,000 neurons spent.",
			then:  "At the present rate about 2,200 are left at " + reset,
			notes: "214 of it outside this proxy, by the account’s own figure.",
		},
		{
			name:   "nothing was spent lately",
			change: func(d *status.Today) { d.Rate = 0 },
			state:  "fine", level: "ok", head: some6,
			then: "None in the last hour: 3,786 are left until " + reset,
		},
		{
			name:   "it will run out",
			change: func(d *status.Today) { d.ExpectedAt = at(21, 40) },
			state:  "will run out", level: "watch", head: some6,
			then: "At the present rate the day’s neurons last until 21:40 UTC, 2 h 20 min before the reset.",
		},
		{
			name: "it is spent",
			change: func(d *status.Today) {
				d.ExhaustedAt, d.ExpectedAt, d.Remaining = at(15, 2), at(15, 2), some(3.4)
			},
			state: "spent", level: "trouble", head: "The day’s 10,000 neurons are spent, since 15:02 UTC.",
			then: "Calls that cost more than the 3.40 that are left are refused until " + reset,
		},
		{
			name: "Workers AI says so",
			change: func(d *status.Today) {
				d.Blocked, d.ExhaustedAt, d.RetryAt = true, at(15, 2), at(15, 32)
			},
			state: "blocked", level: "trouble", head: "Workers AI says that the day is spent.",
			then: "It said so at 15:02 UTC; this proxy knows of 6,000 neurons. Calls are refused until " + reset +
				" One call tests it at 15:32 UTC.",
		},
		{
			name:   "there is no limit",
			change: func(d *status.Today) { d.Limit, d.Remaining = nil, nil },
			state:  "no limit", level: "ok", head: "6,000 neurons spent today; no limit is set.",
			then: "At the present rate it will be about 7,500 by " + reset,
		},
		{
			name:   "it is only observed",
			change: func(d *status.Today) { d.Mode = "observe" },
			state:  "fine", level: "ok", head: some6, then: "At the present rate about 2,500 are left",
			notes: "This proxy only observes (NEURONWARD_QUOTA_MODE)",
		},
		{
			name:   "the plan is wrong",
			change: func(d *status.Today) { d.PlanWrong, d.External = true, some(214) },
			state:  "fine", level: "trouble", head: "6,214 of", then: "At the",
			notes: "set NEURONWARD_PLAN=paid.",
		},
		{
			name: "yesterday is known",
			change: func(d *status.Today) {
				d.External, d.Yesterday = some(214), &status.Yesterday{Used: neurons(7310), ByNow: some(4107)}
			},
			state: "fine", level: "ok", head: "6,214 of", then: "At the",
			notes: "Yesterday it was 4,107 by this time of the day, 7,310 in the end.",
		},
		{
			name:   "nothing is counted",
			change: func(d *status.Today) { *d = status.Today{Mode: "off"} },
			state:  "off", level: "none", head: "Neurons are not counted.", then: "NEURONWARD_QUOTA_MODE is off",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := emptyDay()
			d.Used, d.Limit, d.Remaining, d.Rate = some(6000), some(10_000), some(3786), 0.05
			c.change(&d)
			in := &Input{Now: three, Status: &status.Status{Today: d}}
			opening := `data-level="` + c.level + `" data-state="` + c.state + `"`
			if got := shown(t, in, opening, "</section>"); got == "" {
				t.Errorf("got verdict %q behind %s, want some text", got, opening)
			}
			if got := shown(t, in, `<h1 id="verdict-head">`, "</h1>"); !strings.HasPrefix(got, c.head) {
				t.Errorf("got head %q, want %q", got, c.head)
			}
			if got := shown(t, in, `<p class="then">`, "</p>"); !strings.HasPrefix(got, c.then) {
				t.Errorf("got forecast %q, want %q", got, c.then)
			}
			page := written(t, in)
			if c.notes == "" && strings.Contains(page, `class="note"`) {
				t.Errorf("got notes, want none, in\n%s", page)
			}
			if c.notes != "" && !strings.Contains(shown(t, in, `<p class="note">`, "<dl"), c.notes) {
				t.Errorf("got\n%s\nwant the note %q", page, c.notes)
			}
		})
	}
}
