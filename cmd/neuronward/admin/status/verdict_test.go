package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/recent"
	"github.com/neuronward/neuronward/quota"
)

var (
	midnight = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	three    = midnight.Add(15*time.Hour + 24*time.Minute)
)

func at(hour, minute int) *time.Time {
	return new(midnight.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute))
}

func whole(n float64) *Neurons { return new(wholeNeurons(n)) }

// served is the status of a proxy at 15:24 that has spent 6,000 of 10,000 neurons, and of which nothing is wrong.
func served() *Status {
	return &Status{Today: Today{
		Day: new(quota.DayOf(midnight)), Plan: "free", Mode: "enforce",
		Used: whole(6000), Reserved: whole(0), Lost: whole(0), External: whole(0),
		Limit: whole(10_000), Remaining: whole(4000), Store: Store{Kind: "file", Policy: "deny", Healthy: true},
	}}
}

// upstreamFailures are some of the last minutes.
func upstreamFailures(c normalize.Code, n int64) minutes.CodeFailures {
	return minutes.CodeFailures{Code: c, Recent: minutes.Origins{Upstream: n}, Hour: minutes.Origins{Upstream: n}}
}

func TestVerdict(t *testing.T) {
	const reset = "the reset at 00:00 UTC, in 8 h 36 min."
	client := func(name string, used, limit float64) Client {
		return Client{
			Spending: Spending{Name: name, Neurons: *whole(used)}, Limit: whole(limit), Remaining: whole(limit - used),
		}
	}
	callers := upstreamFailures(normalize.BadInput, 50)
	callers.Caller = true
	for _, c := range []struct {
		name     string
		change   func(s *Status)
		failures []minutes.CodeFailures
		calls    int64

		part            string // that the verdict is
		state           State
		because, action string // how they begin
		also            string // in action
	}{
		{
			name: "nothing is wrong", calls: 40, part: "quota", state: StateOK,
			because: "6,000 of 10,000 neurons spent.", action: "4,000 are left until " + reset,
		},
		{
			name:   "it will last",
			change: func(s *Status) { s.Forecast = &Forecast{Low: *whole(7000), High: *whole(8200)} },
			part:   "quota", state: StateOK, because: "6,000 of",
			action: "At the present rate 1,800 to 3,000 are left at " + reset,
		},
		{
			name:   "it will run out",
			change: func(s *Status) { s.Forecast = &Forecast{Earliest: at(19, 5), Latest: at(21, 40)} },
			part:   "quota", state: StateWarning,
			because: "At the present rate the neurons last until 19:05 to 21:40 UTC, not until 00:00.",
			action:  "6,000 of 10,000 neurons are spent. Stop what can wait until " + reset,
		},
		{
			name:   "it may run out",
			change: func(s *Status) { s.Forecast = &Forecast{Earliest: at(19, 5)} },
			part:   "quota", state: StateWarning,
			because: "At the present rate the neurons may be spent from 19:05 UTC on, before the reset at 00:00.",
			action:  "6,000 of 10,000 neurons are spent.",
		},
		{
			name:   "not nearly spent",
			change: func(s *Status) { s.Used, s.Remaining = whole(8900), whole(1001) },
			part:   "quota", state: StateOK, because: "8,900 of 10,000 neurons spent.",
		},
		{
			name:   "nearly spent with what is reserved or lost",
			change: func(s *Status) { s.Reserved, s.Lost, s.Remaining = whole(2000), whole(1000), whole(1000) },
			part:   "quota", state: StateWarning, because: "Nearly spent: 1,000 of 10,000 neurons are left.",
		},
		{
			name:   "nearly spent",
			change: func(s *Status) { s.Used, s.Remaining = whole(9200), whole(800) },
			part:   "quota", state: StateWarning, because: "Nearly spent: 800 of 10,000 neurons are left.",
			action: "They must last until " + reset + " Large calls are refused first.", also: "NEURONWARD_PLAN=paid",
		},
		{
			name: "spent",
			change: func(s *Status) {
				s.ExhaustedAt, s.ExpectedAt, s.Remaining = at(15, 2), at(15, 2), whole(3.4)
			},
			part: "quota", state: StateCritical, because: "The day's 10,000 neurons are spent since 15:02 UTC.",
			action: "Calls that cost more than the 3.40 that are left are refused until " + reset,
			also:   "move to Workers Paid",
		},
		{
			name: "spent, paid",
			change: func(s *Status) {
				s.ExhaustedAt, s.Remaining, s.Plan = at(15, 2), whole(3.4), "paid"
			},
			part: "quota", state: StateCritical, because: "The day's", also: "raise NEURONWARD_DAILY_NEURONS",
		},
		{
			name: "the month is spent",
			change: func(s *Status) {
				s.ExhaustedAt, s.Remaining, s.Plan = at(15, 2), whole(3.4), "paid"
				s.Month = &Month{Remaining: *whole(3.4)}
			},
			part: "quota", state: StateCritical, because: "The day's", also: "raise NEURONWARD_MONTHLY_NEURONS",
		},
		{
			name: "spent, observed",
			change: func(s *Status) {
				s.ExhaustedAt, s.Remaining, s.Mode = at(15, 2), whole(0), "observe"
			},
			part: "quota", state: StateWarning, because: "The day's 10,000 neurons are spent since 15:02 UTC.",
			action: "Calls pass, since this proxy only observes",
		},
		{
			name: "quota block",
			change: func(s *Status) {
				s.Blocked, s.ExhaustedAt, s.RetryAt = true, at(15, 2), at(15, 32)
			},
			part: "quota", state: StateCritical,
			because: "Workers AI says that the day's neurons are spent (quota block).",
			action:  "Calls are refused since 15:02 UTC until " + reset + " This proxy knows of 6,000 neurons.",
			also:    "One call tests the block at 15:32 UTC. On Workers Paid, set NEURONWARD_PLAN=paid.",
		},
		{
			name: "no limit", change: func(s *Status) { s.Limit, s.Remaining = nil, nil },
			part: "quota", state: StateOK, because: "6,000 neurons spent today; no limit is set.",
			action: "The day ends at 00:00 UTC, in 8 h 36 min.",
		},
		{
			name: "no limit, with a forecast",
			change: func(s *Status) {
				s.Limit, s.Remaining, s.Forecast = nil, nil, &Forecast{Low: *whole(7000), High: *whole(8200)}
			},
			part: "quota", state: StateOK, because: "6,000 neurons",
			action: "At the present rate it will be 7,000 to 8,200 by",
		},
		{
			name: "the plan is wrong",
			change: func(s *Status) {
				s.PlanWrong, s.ExhaustedAt, s.Remaining = true, at(15, 2), whole(0)
			},
			part: "quota", state: StateCritical, because: "The free plan's 10,000 neurons are spent since 15:02 UTC.",
			also: "on Workers Paid, set NEURONWARD_PLAN=paid.",
		},
		{
			name:   "nothing is counted",
			change: func(s *Status) { *s = Status{Today: Today{Mode: "off", Store: Store{Kind: "none"}}} },
			part:   "quota", state: StateOff, because: "Neurons are not counted.",
			action: "NEURONWARD_QUOTA_MODE is off",
		},
		{
			name:     "nothing is counted, and calls fail",
			change:   func(s *Status) { *s = Status{Today: Today{Mode: "off", Store: Store{Kind: "none"}}} },
			failures: []minutes.CodeFailures{upstreamFailures(normalize.OutOfCapacity, 9)}, calls: 9,
			part: "failures", state: StateCritical, because: "9 of 9 calls failed in the last 5 minutes (100 %).",
		},
		{
			name: "Workers AI fails",
			failures: []minutes.CodeFailures{
				upstreamFailures(normalize.OutOfCapacity, 18), upstreamFailures(normalize.Timeout, 2), callers,
			},
			calls: 90, part: "failures", state: StateCritical,
			because: "20 of 40 calls failed in the last 5 minutes (50 %).", action: "Most with 3040 out_of_capacity.",
			also: "50 more failed by the caller's own fault.",
		},
		{
			name:     "one call fails, of one",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.OutOfCapacity, 1)}, calls: 1,
			part: "failures", state: StateWarning, because: "1 of 1 call failed in the last 5 minutes (100 %).",
			action: "With 3040 out_of_capacity.",
		},
		{
			name:     "some calls fail",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.OutOfCapacity, 4)}, calls: 100,
			part: "failures", state: StateWarning, because: "4 of 100 calls failed",
		},
		{
			name:     "hardly any call fails",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.OutOfCapacity, 4)}, calls: 1000,
			part: "quota", state: StateOK, because: "6,000 of",
		},
		{
			name: "callers fail", failures: []minutes.CodeFailures{callers}, calls: 60,
			part: "quota", state: StateOK, because: "6,000 of",
		},
		{
			name:     "a client's limit refuses some calls",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.ClientBudgetExhausted, 10)}, calls: 40,
			part: "quota", state: StateOK, because: "6,000 of",
		},
		{
			name: "limits refuse most calls",
			failures: []minutes.CodeFailures{
				upstreamFailures(normalize.PriorityFloor, 10),
				upstreamFailures(normalize.ClientBudgetExhausted, 20), callers,
			},
			calls: 90, part: "failures", state: StateWarning,
			because: "30 of 40 calls were refused by a limit in the last 5 minutes.",
			action:  "Most with 90002 client_budget_exhausted. Wait for the reset,",
			also:    "50 more failed by the caller's own fault.",
		},
		{
			name:     "a limit refuses all calls",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.PriorityFloor, 3)}, calls: 3,
			part: "failures", state: StateWarning, because: "3 of 3 calls were refused by a limit",
			action: "With 90015 priority_floor.",
		},
		{
			name: "limits refuse most calls, and of the others some fail",
			failures: []minutes.CodeFailures{
				upstreamFailures(normalize.ClientBudgetExhausted, 30), upstreamFailures(normalize.OutOfCapacity, 4),
			},
			calls: 40, part: "failures", state: StateCritical, because: "4 of 10 calls failed",
			also: " 30 more were refused by a limit.",
		},
		{
			name: "a client's limit refuses most calls, and it is known whose",
			change: func(s *Status) {
				s.Failures = []recent.Failure{
					{Time: three.Add(-time.Minute), Client: "a", Name: "client_budget_exhausted"},
				}
			},
			failures: []minutes.CodeFailures{upstreamFailures(normalize.ClientBudgetExhausted, 30)}, calls: 40,
			part: "clients", state: StateWarning, because: "a is refused: too little is left of its own limit.",
		},
		{
			name:     "the store is missed",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.StoreUnavailable, 30)}, calls: 40,
			part: "quota", state: StateOK, because: "6,000 of",
		},
		{
			name:     "large calls are refused",
			failures: []minutes.CodeFailures{upstreamFailures(normalize.AccountLimited, 2)}, calls: 40,
			part: "quota", state: StateWarning,
			because: "2 calls were refused in the last 5 minutes: too large for the neurons that are left.",
			action:  "4,000 of 10,000 neurons are left until " + reset,
		},
		{
			name:     "nearly spent, and calls are refused",
			change:   func(s *Status) { s.Used, s.Remaining = whole(9200), whole(800) },
			failures: []minutes.CodeFailures{upstreamFailures(normalize.AccountLimited, 20)}, calls: 40,
			part: "quota", state: StateCritical, because: "Nearly spent: 800 of 10,000 neurons are left.",
		},
		{
			name: "one client is over",
			change: func(s *Status) {
				s.Clients = []Client{client("a", 10, 300), client("notebooks", 298, 300), client("c", 10, 300)}
			},
			part: "clients", state: StateWarning, because: "notebooks is refused: too little is left of its own limit.",
			action: "Ask for fewer output tokens, wait until 00:00 UTC, or raise the client's daily_neurons",
		},
		{
			name: "clients are refused for their limits",
			change: func(s *Status) {
				s.Clients = []Client{client("a", 200, 300), client("b", 300, 300)}
				s.Failures = []recent.Failure{
					{Time: three.Add(-time.Minute), Client: "a", Name: "client_budget_exhausted"},
					{Time: three.Add(-time.Minute), Client: "d", Name: "priority_floor"},
					{Time: three.Add(-10 * time.Minute), Client: "c", Name: "client_budget_exhausted"},
				}
			},
			part: "clients", state: StateWarning,
			because: "a and b are refused: too little is left of their own limits.",
			also:    "Refused for low priority besides: d.",
		},
		{
			name: "a client is below its floor",
			change: func(s *Status) {
				s.Failures = []recent.Failure{{Time: three.Add(-time.Minute), Client: "batch", Name: "priority_floor"}}
			},
			part: "clients", state: StateWarning, because: "batch is refused for its low priority.",
			action: "What is left of the day is kept for clients of higher priority.",
		},
		{
			name: "a client would be refused",
			change: func(s *Status) {
				s.Mode = "observe"
				s.Clients = []Client{{Spending: Spending{Name: "a"}, WouldRefuse: Reasons{"client_budget": 3}}}
			},
			part: "clients", state: StateWarning,
			because: "a would be refused: too little is left of the client's own limit.",
		},
		{
			name: "the store is gone",
			change: func(s *Status) {
				s.Store = Store{Kind: "redis", Policy: "deny", Failure: new("quota: the store fails: no route")}
			},
			part: "store", state: StateCritical, because: "The store (redis) does not answer; calls are refused.",
			action: "Bring back what NEURONWARD_STORE names; then calls are taken again by themselves. (no route)",
		},
		{
			name:   "the store is gone, calls go on",
			change: func(s *Status) { s.Store = Store{Kind: "redis", Policy: "allow", Failure: new("no route")} },
			part:   "store", state: StateWarning, because: "The store (redis) does not answer; calls go on.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := served()
			if c.change != nil {
				c.change(s)
			}
			v := Judge(s, c.failures, c.calls, three)
			part := map[string]Finding{
				"quota": v.Quota, "failures": v.Failures, "clients": v.Clients, "store": v.Store,
			}[c.part]
			if v.Finding != part {
				t.Errorf("got the verdict %+v, want that of %s, %+v", v.Finding, c.part, part)
			}
			if v.State != c.state {
				t.Errorf("got state %s, want %s", v.State, c.state)
			}
			lately := fmt.Sprintf("in the last %d minutes", minutes.RecentMinutes)
			if !strings.Contains(v.Failures.Because, lately) {
				t.Errorf("got failures because %q, want %q in it", v.Failures.Because, lately)
			}
			if !strings.HasPrefix(v.Because, c.because) {
				t.Errorf("got because %q, want %q", v.Because, c.because)
			}
			if !strings.HasPrefix(v.Action, c.action) {
				t.Errorf("got action %q, want %q", v.Action, c.action)
			}
			if !strings.Contains(v.Action, c.also) {
				t.Errorf("got action %q, want %q in it", v.Action, c.also)
			}
		})
	}
}

func TestForecast(t *testing.T) {
	at := func(minute int) minutes.Sample { // 10 neurons a minute, 20 in the last quarter of an hour
		used := float64(10 * minute)
		if minute > 45 {
			used += float64(10 * (minute - 45))
		}
		return minutes.Sample{At: midnight.Add(time.Duration(minute) * time.Minute), Used: used}
	}
	now := midnight.Add(time.Hour)
	var samples []minutes.Sample
	for minute := range 60 {
		samples = append(samples, at(minute))
	}
	s := served()
	s.Used, s.Remaining = whole(750), whole(9250)
	f := ForecastOf(&s.Today, samples, now)
	if f == nil {
		t.Fatal("got no forecast after an hour, want one")
	}
	// 12.5 neurons a minute in the hour and 20 in the last quarter, a tenth to each side.
	if got, want := f.Low.Float(), 750+23*60*12.5*0.9; got < want-50 || got > want+50 {
		t.Errorf("got %.0f at the lower end, want about %.0f", got, want)
	}
	if got, want := f.High.Float(), 750+23*60*20*1.1; got < want-1500 || got > want+50 {
		t.Errorf("got %.0f at the upper end, want about %.0f", got, want)
	}
	if f.Earliest == nil || f.Latest == nil || !f.Earliest.Before(*f.Latest) {
		t.Errorf("got the limit reached from %v to %v, want a range", f.Earliest, f.Latest)
	}
	for name, change := range map[string]func(s *Status, samples *[]minutes.Sample){
		"too little was counted": func(_ *Status, all *[]minutes.Sample) { *all = (*all)[46:] },
		"no sample":              func(_ *Status, all *[]minutes.Sample) { *all = nil },
		"spent":                  func(s *Status, _ *[]minutes.Sample) { s.ExhaustedAt = &now },
		"not counted":            func(s *Status, _ *[]minutes.Sample) { s.Day = nil },
		"nothing lately":         func(s *Status, _ *[]minutes.Sample) { s.Used = whole(0) },
	} {
		t.Run(name, func(t *testing.T) {
			s, all := served(), samples
			s.Used = whole(750)
			change(s, &all)
			if f := ForecastOf(&s.Today, all, now); f != nil {
				t.Errorf("got %+v, want no forecast", f)
			}
		})
	}
}
