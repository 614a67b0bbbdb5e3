package metrics

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spend touches every series of neurons.
func spend(m *Metrics) {
	m.Preempted("account_quota", ModeEnforce, "m", "team")
	m.Preempted("contended", ModeObserve, "m", "team")
	m.Spent("m", "c", "reported", 1.25)
	m.Spent("m", "c", "reported", 0.25)
	m.Spent("m", "c", "estimated", -4) // a correction
	m.Tokens("m", "input", 12)
	m.Tokens("m", "output", -1)
	m.EstimateRatio("text-generation", 0.15)
	m.EstimateRatio("text-generation", 1)
	m.EstimateRatio("text-generation", 3)
	m.StoreFailed("allow")
	m.StoreTook("exchange", 3*time.Millisecond)
	m.WatchQuota(func() Quota {
		return Quota{
			Used: 1234.5, Reserved: 20, Lost: 8, Limit: 10000, Remaining: 8737.5, Blocked: true,
			ResetsAt: time.Unix(1_795_392_000, 0), ExhaustedAt: time.Unix(1_795_390_000, 500_000_000),
			Month: &MonthQuota{Limit: 300_000, Remaining: 1000}, USD: map[string]float64{"day": 0.25, "month": 7},
			Clients: []ClientQuota{
				{Client: "search-team", Used: 3, Limit: 2000, Month: &MonthQuota{Limit: 40_000}},
				{Client: "no-budget", Used: 7},
			},
		}
	})
}

func TestSeriesOfNeurons(t *testing.T) {
	m := New(Build{})
	spend(m)
	_, body := scrape(t, m, "text/plain")
	if got := m.Minutes().Models(time.Now())["m"].Neurons; got != 1.5 {
		t.Errorf("got %v neurons in the last minutes, want 1.5, without the correction", got)
	}
	holds(t, body, lines(
		`neuronward_preempted_total{client="team",mode="enforce",reason="account_quota"} 1`,
		`neuronward_preempted_total{client="team",mode="observe",reason="contended"} 1`,
		`neuronward_neurons_total{basis="reported",client="c",model="m"} 1.5`,
		`neuronward_neurons_total{basis="estimated",client="c",model="m"} 0`,
		`neuronward_tokens_total{kind="input",model="m"} 12`,
		`neuronward_tokens_total{kind="output",model="m"} 0`,
		`neuronward_estimate_ratio_bucket{task="text-generation",le="0.2"} 1`,
		`neuronward_estimate_ratio_bucket{task="text-generation",le="1"} 2`,
		`neuronward_estimate_ratio_count{task="text-generation"} 3`,
		`neuronward_store_failures_total{policy="allow"} 1`,
		`neuronward_store_duration_seconds_count{op="exchange"} 1`,
		"neuronward_neurons_used 1234.5", "neuronward_neurons_reserved 20",
		"neuronward_neurons_limit 10000", "neuronward_neurons_remaining 8737.5", "neuronward_neurons_lost 8",
		"neuronward_quota_latched 1",
		"neuronward_quota_reset_timestamp_seconds 1.795392e+09",
		"neuronward_quota_exhaustion_timestamp_seconds 1.7953900005e+09",
		`neuronward_client_neurons_used{client="search-team"} 3`,
		`neuronward_client_neurons_limit{client="search-team"} 2000`,
		`neuronward_client_neurons_used{client="no-budget"} 7`,
		`neuronward_cost_usd{window="day"} 0.25`, `neuronward_cost_usd{window="month"} 7`,
		"neuronward_neurons_month_limit 300000", "neuronward_neurons_month_remaining 1000",
		`neuronward_client_neurons_month_limit{client="search-team"} 40000`,
		`neuronward_client_neurons_month_remaining{client="search-team"} 0`,
	)...)
	for _, name := range []string{"limit", "month_limit", "month_remaining"} {
		if series := "neuronward_client_neurons_" + name + `{client="no-budget"}`; strings.Contains(body, series) {
			t.Errorf("got %s, want none of a client without a budget", series)
		}
	}
}

// A rate over a counter that appears with its first event misses that event.
func TestReasonsAndPoliciesAreExportedAtZeroFromTheStart(t *testing.T) {
	_, body := scrape(t, New(Build{}), "text/plain")
	wants := []string{
		`neuronward_store_failures_total{policy="deny"} 0`, `neuronward_store_failures_total{policy="allow"} 0`,
		`neuronward_store_duration_seconds_count{op="exchange"} 0`,
		`neuronward_store_duration_seconds_count{op="history"} 0`,
		`neuronward_store_duration_seconds_count{op="lease"} 0`,
	}
	for _, reason := range []string{
		"account_quota", "client_budget", "contended", "priority_floor", "rate", "capacity", "overload", "latched",
		"plan", "model", "credentials",
	} {
		for _, mode := range []string{"enforce", "observe"} {
			wants = append(wants,
				`neuronward_preempted_total{client="anonymous",mode="`+mode+`",reason="`+reason+`"} 0`)
		}
	}
	holds(t, body, lines(wants...)...)
	if n := strings.Count(body, "\nneuronward_preempted_total{"); n != 22 {
		t.Errorf("got %d series of preempted calls, want 22", n)
	}
}

// However many clients there are, the series have 50 of them and other.
func TestClientsOfPreemptedCallsAreBounded(t *testing.T) {
	m := New(Build{})
	for range 2 {
		for i := range 60 {
			m.Preempted("rate", ModeEnforce, "m", "client-"+strconv.Itoa(i))
		}
	}
	_, body := scrape(t, m, "text/plain")
	holds(t, body, lines(
		`neuronward_preempted_total{client="client-0",mode="enforce",reason="rate"} 2`,
		`neuronward_preempted_total{client="client-48",mode="enforce",reason="rate"} 2`,
		`neuronward_preempted_total{client="other",mode="enforce",reason="rate"} 22`,
	)...)
	if series := `client="client-49"`; strings.Contains(body, series) {
		t.Errorf("got %s, want other in its place", series)
	}
}

func TestGaugesOfTheDay(t *testing.T) {
	gauge := regexp.MustCompile(`^neuronward_(neurons|quota|client)_`)
	always := []string{
		"neuronward_neurons_external", "neuronward_neurons_lost", "neuronward_neurons_reserved",
		"neuronward_neurons_used", "neuronward_quota_exhaustion_timestamp_seconds", "neuronward_quota_latched",
		"neuronward_quota_reset_timestamp_seconds",
	}
	cases := []struct {
		name  string
		watch func() Quota
		want  []string // series, sorted
	}{
		{"nothing is counted", nil, nil},
		{"no limit", func() Quota { return Quota{Unlimited: true} }, always},
		{
			"a limit of which nothing is left", func() Quota { return Quota{Limit: 1} },
			append([]string{"neuronward_neurons_limit", "neuronward_neurons_remaining"}, always...),
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := New(Build{})
			if c.watch != nil {
				m.WatchQuota(c.watch)
			}
			_, body := scrape(t, m, "text/plain")
			var got []string
			for line := range strings.SplitSeq(body, "\n") {
				name, value, _ := strings.Cut(line, " ")
				if gauge.MatchString(name) {
					got = append(got, name)
				}
				if name == "neuronward_quota_exhaustion_timestamp_seconds" && value != "0" {
					t.Errorf("got %s %s, want 0: no time is known", name, value)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got series %q, want %q", got, c.want)
			}
		})
	}
}
