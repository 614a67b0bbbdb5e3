package main

import (
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/bill"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy/websocket"
	"github.com/neuronward/neuronward/quota"
)

func busyDay() usageReport {
	on := quota.DayOf(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	amount := func(n float64) status.Neurons { return status.Neurons(quota.FromFloat(n)) }
	limit, left, failure := amount(10_000), amount(1_400), "quota: the store fails: disk full"
	used, reserved, lost, margin := amount(8_234.5), amount(200), amount(65.5), amount(100)
	return usageReport{
		Today: status.Today{
			Day: &on, Plan: config.PlanFree, Mode: "enforce",
			Used: &used, Reserved: &reserved, Lost: &lost, Limit: &limit, Margin: &margin, Remaining: &left,
			ResetsAt: status.Time(on.End()), Blocked: true, RetryAt: status.Time(on.End().Add(-time.Hour)),
			BasisShares: status.BasisShares{Reported: 0.9, Priced: 0.06, Estimated: 0.04},
			Models: []status.Model{
				{Spending: status.Spending{
					Name: "@cf/meta/llama-3.3-70b-instruct-fp8-fast", Calls: 1200, Neurons: amount(8_000),
				}},
				{Spending: status.Spending{
					Name: "@cf/" + strings.Repeat("long", 12), Calls: 1, Neurons: amount(234.5),
				}},
			},
			Clients: []status.Client{{Spending: status.Spending{Calls: 1201, Neurons: amount(8_234.5)}}},
			Store:   status.Store{Failure: &failure},
		},
		Sessions: websocket.Status{
			Open: 2, Ended: 5, Seconds: 81.7, Characters: 340, MessagesIn: 1200, MessagesOut: 60,
		},
		Days: []status.PastDay{
			{Day: on, Calls: 1201, Neurons: amount(8_234.5)},
			{Day: on - 1, Calls: 3, Neurons: amount(1_000_000)},
			{Day: on - 2},
		},
	}
}

func TestUsageInAPipe(t *testing.T) {
	const want = `Neurons of 2026-11-23 (UTC), free plan, enforced
until 2026-11-24T00:00:00Z, in 8h30m

  used           8234.50  82.3 %
  reserved        200.00  by calls in flight
  lost             65.50  reserved by processes that died, until the reset
  kept            100.00  for calls that cost more than estimated
  left           1400.00  of 10000.00

90 % as Workers AI reported, 6 % by the price table, 4 % estimated

Workers AI itself said that the day is spent. One call is tried at 2026-11-23T23:00:00Z.

The store fails: quota: the store fails: disk full

WebSockets since the proxy began: 2 open, 5 ended; 82 seconds of sound,
340 characters, 1200 messages in, 60 out.

  by model                                                  neurons  calls
  @cf/meta/llama-3.3-70b-instruct-fp8-fast                  8000.00   1200
  @cf/longlonglonglonglonglonglonglonglonglonglonglong       234.50      1

  by client      neurons  calls
  (none)         8234.50   1201

  by day                    neurons  calls
  2026-11-23 today          8234.50   1201
  2026-11-22 yesterday   1000000.00      3
  2026-11-21                   0.00      0
`
	now := time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC)
	if got := (screen{}).usage(busyDay(), now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUsageOnAScreen(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC) // a proxy that has not noticed midnight
	got := screen{drawn: true}.usage(busyDay(), now)
	for _, want := range []string{
		"used          8,234.50  ██████████░░ 82.3 %\n", "left          1,400.00  of 10,000.00\n",
		"until 2026-11-24T00:00:00Z, in 0s\n",
		"@cf/meta/llama-3.3-70b-instruct-fp8-fast         8,000.00   1200 ████████████\n",
		"@cf/longlonglonglonglonglonglonglonglonglon…       234.50      1 █\n",
		"2026-11-22 yesterday 1,000,000.00      3 ████████████\n", "2026-11-21                   0.00      0\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		if len([]rune(line)) > textWidth && !strings.HasPrefix(line, "Workers AI") {
			t.Errorf("got %d columns, want at most %d: %s", len([]rune(line)), textWidth, line)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("got color, want none, in\n%s", got)
	}
	r := busyDay()
	for used, color := range map[float64]string{100: "36", 8_000: "33", 9_499: "33", 9_500: "31", 12_000: "31"} {
		f := status.Neurons(quota.FromFloat(used))
		r.Today.Used = &f
		if got := (screen{drawn: true, colored: true}).usage(r, now); !strings.Contains(got, "  \x1b["+color+"m█") {
			t.Errorf("%v of 10,000: got\n%s\nwant color %s", used, got, color)
		}
	}
}

func TestUsageWithoutALimit(t *testing.T) {
	r := busyDay()
	r.Today.Limit, r.Today.Remaining, r.Today.Plan, r.Today.Mode = nil, nil, "paid", config.ModeObserve
	got := screen{}.usage(r, time.Now())
	for _, want := range []string{
		"paid plan, observed: nothing is refused\n", "  used           8234.50\n", "  left          no limit\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
	off := usageReport{Today: status.Today{Mode: config.ModeOff}}
	const want = "NEURONWARD_QUOTA_MODE is off: this proxy counts nothing.\n"
	if got := (screen{}).usage(off, time.Now()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUsageShowsYesterday(t *testing.T) {
	r := busyDay()
	by := status.Neurons(130 * quota.OneNeuron)
	r.Today.Yesterday = &status.Yesterday{Used: status.Neurons(161 * quota.OneNeuron), ByNow: &by}
	const want = "\nYesterday 130.00 neurons were spent by this time of the day, 161.00 on the whole day.\n"
	if got := (screen{}).usage(r, time.Now()); !strings.Contains(got, want) {
		t.Errorf("%s\nis not in\n%s", want, got)
	}
	r.Today.Yesterday.ByNow = nil
	lacks(t, "usage without the hours of yesterday", screen{}.usage(r, time.Now()), "Yesterday")
}

// Dollars are shown where something costs, in the place of the bars.
func TestUsageInDollars(t *testing.T) {
	r := busyDay()
	r.Today.Cost = &bill.Cost{Today: 1.5, Month: new(bill.Dollars(20.456)), Forecast: new(bill.Dollars(31))}
	r.Today.Clients[0].USD = 1.5
	got := screen{drawn: true}.usage(r, time.Now())
	for _, want := range []string{
		"  dollars           1.50  today, 20.46 this month, about 31.00 by its end\n",
		"  by client      neurons  calls      dollars\n  (none)        8,234.50   1201         1.50\n",
		"8,000.00   1200 ████████████\n",
	} {
		contains(t, "usage", got, want)
	}
	r.Today.Cost = &bill.Cost{Today: 1.5}
	contains(t, "usage without the month", screen{}.usage(r, time.Now()), "1.50  today\n")
}

// In observe mode it is shown whose calls would have been refused.
func TestUsageSaysWhomItWouldHit(t *testing.T) {
	r := busyDay()
	lacks(t, "usage without such calls", screen{}.usage(r, time.Now()), "would be refused")
	r.Today.Clients = []status.Client{
		{Spending: status.Spending{Name: "team"}, WouldRefuse: status.Reasons{"rate": 3, "client_budget": 12}},
		{Spending: status.Spending{Name: "other-team"}, WouldRefuse: status.Reasons{}},
	}
	r.Today.Models[1].WouldRefuse = status.Reasons{"rate": 3}
	contains(t, "usage", screen{drawn: true}.usage(r, time.Now()), `
  would be refused                              calls by reason, in the process that was asked
  team                                          client_budget 12, rate 3
  @cf/longlonglonglonglonglonglonglonglonglon…  rate 3
`)
}

// A limit of the month is shown where there is one, with or without one of the day.
func TestUsageOfTheMonth(t *testing.T) {
	r := busyDay()
	number := func(f status.Neurons) *status.Neurons { return &f }
	month := func(limit, used status.Neurons) *status.Month {
		return &status.Month{Limit: limit, Used: used, Remaining: limit - used}
	}
	r.Today.Limit, r.Today.Remaining = nil, nil
	r.Today.Month = month(300_000_000_000, 100_000_000_000)
	r.Today.Clients = []status.Client{
		{Spending: status.Spending{Name: "a"}},
		{
			Spending: status.Spending{Name: "team"}, Limit: number(12_000_000), Remaining: number(500_000),
			Month: month(40_000_000_000, 500_000),
		},
	}
	got := screen{}.usage(r, time.Now())
	for _, want := range []string{
		"no limit\n  month        200000.00  of the month's 300000.00, 100000.00 used\n",
		"\n  budgets of today         left           of\n  team                     0.50        12.00\n",
		"\n  budgets of the month         left           of\n  team                     39999.50     40000.00\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant in it\n%s", got, want)
		}
	}
}
