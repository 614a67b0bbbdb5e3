package page

import (
	"html/template"
	"regexp"
	"strings"
	"testing"
	"time"
)

func words(h template.HTML) string {
	return regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(h), "")
}

func TestVerdict(t *testing.T) {
	at := func(hour, minute int) *time.Time {
		return new(today.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute))
	}
	day := func(change func(d *Day)) *Day {
		d := &Day{Start: today, Used: 6000, External: 214, Limit: new(10_000.0), Remaining: new(3786.0), Rate: 0.05}
		change(d)
		return d
	}
	for _, c := range []struct {
		name              string
		mode              string
		day               *Day
		state, level      string
		head, then, notes string
	}{
		{
			name: "it will hold", day: day(func(*Day) {}), state: "fine", level: levelOK,
			head: "6,214 of 10,000 neurons spent.", then: "At the present rate about 2,200 are left at the reset at 00:00 UTC, in 8 h 36 min.",
			notes: "214 of it outside this proxy, by the account’s own figure.",
		},
		{
			name: "nothing was spent lately", day: day(func(d *Day) { d.Rate, d.External = 0, 0 }), state: "fine", level: levelOK,
			head: "6,000 of 10,000 neurons spent.", then: "None in the last hour: 3,786 are left until the reset at 00:00 UTC, in 8 h 36 min.",
		},
		{
			name: "it will run out", day: day(func(d *Day) { d.ExpectedAt, d.External = at(21, 40), 0 }), state: "will run out", level: levelWatch,
			head: "6,000 of 10,000 neurons spent.", then: "At the present rate the day’s neurons last until 21:40 UTC, 2 h 20 min before the reset.",
		},
		{
			name: "it is spent", day: day(func(d *Day) { d.ExhaustedAt, d.ExpectedAt, d.Remaining, d.External = at(15, 2), at(15, 2), new(3.4), 0 }), state: "spent", level: levelTrouble,
			head: "The day’s 10,000 neurons are spent, since 15:02 UTC.", then: "What costs more than the 3.40 that are left waits for the reset at 00:00 UTC, in 8 h 36 min.",
		},
		{
			name: "Workers AI says so", day: day(func(d *Day) { d.Latched, d.ExhaustedAt, d.RetryAt, d.External = true, at(15, 2), at(15, 32), 0 }), state: "latched", level: levelTrouble,
			head: "Workers AI says that the day is spent.",
			then: "It said so at 15:02 UTC; 6,000 neurons are known of here. Calls wait for the reset at 00:00 UTC, in 8 h 36 min. One is let through at 15:32 UTC to see.",
		},
		{
			name: "there is no ceiling", day: day(func(d *Day) { d.Limit, d.Remaining, d.External = nil, nil, 0 }), state: "no ceiling", level: levelOK,
			head: "6,000 neurons spent today; no ceiling is set.", then: "At the present rate it will be about 7,500 by the reset at 00:00 UTC, in 8 h 36 min.",
		},
		{
			name: "it is only observed", mode: "observe", day: day(func(d *Day) { d.External = 0 }), state: "fine", level: levelOK,
			head: "6,000 of 10,000 neurons spent.", then: "At the present rate about 2,500 are left", notes: "This proxy only observes (NEURONWARD_QUOTA_MODE)",
		},
		{
			name: "the plan is wrong", day: day(func(d *Day) { d.PlanWrong = true }), state: "fine", level: levelTrouble,
			head: "6,214 of", then: "At the", notes: "set NEURONWARD_PLAN=paid.",
		},
		{
			name: "yesterday is known", day: day(func(d *Day) { d.YesterdayUsed, d.YesterdayNow = 7310, new(4107.0) }), state: "fine", level: levelOK,
			head: "6,214 of", then: "At the", notes: "Yesterday it was 4,107 by this time of the day, 7,310 in the end.",
		},
		{name: "nothing is counted", mode: "off", state: "off", level: levelNone, head: "Neurons are not counted.", then: "NEURONWARD_QUOTA_MODE is off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verdictOf(&State{Now: three, Mode: c.mode, Day: c.day})
			var notes []string
			for _, n := range v.Notes {
				notes = append(notes, words(n))
			}
			said := strings.Join(notes, " ")
			if v.State != c.state || v.Level != c.level || !strings.HasPrefix(words(v.Head), c.head) || !strings.HasPrefix(words(v.Then), c.then) ||
				!strings.Contains(said, c.notes) || c.notes == "" && said != "" {
				t.Errorf("%s, %s: %s %s (%s)\nwant %s, %s: %s %s (%s)", v.State, v.Level, words(v.Head), words(v.Then), said, c.state, c.level, c.head, c.then, c.notes)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		amount(0): "0", amount(0.004): "under 0.01", amount(0.5): "0.50", amount(12): "12", amount(99.994): "99.99", amount(100.4): "100",
		amount(1234.5): "1,235", amount(1e6): "1,000,000", amount(-1234): "-1,234",
		about(0): "0", about(47): "47", about(1834): "1,800", about(12_345): "12,000", about(183): "180",
		span(0): "0 s", span(-time.Second): "0 s", span(59 * time.Second): "59 s", span(2*time.Minute + 31*time.Second): "3 min", span(59*time.Minute + 40*time.Second): "1 h",
		span(2*time.Hour + 20*time.Minute): "2 h 20 min", span(23*time.Hour + 59*time.Minute + 50*time.Second): "24 h",
		lasted(0): "–", lasted(340 * time.Microsecond): "0.3 ms", lasted(38 * time.Millisecond): "38 ms", lasted(2410 * time.Millisecond): "2.41 s",
		lasted(21 * time.Second): "21.0 s", lasted(150 * time.Second): "2.5 min",
		plural(1, "call", "calls"): "1 call", plural(2000, "call", "calls"): "2,000 calls",
		words(clock(three.In(time.FixedZone("", 3600)))): "15:24 UTC", words(second(three)): "15:24:07 UTC",
		string(sentence("<b>", template.HTML("<i>"))): "&lt;b&gt;<i>",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
