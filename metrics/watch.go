package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Quota is the state of the account's day, in neurons.
type Quota struct {
	Used, Reserved   float64
	External         float64 // spent outside this proxy, by the account's own figure
	Lost             float64 // held by replicas that died; unavailable until the reset
	Limit, Remaining float64 // meaningless if Unlimited
	Unlimited        bool    // there is no limit
	Blocked          bool    // the quota block: Workers AI itself said that the day is spent
	ResetsAt         time.Time
	FigureAt         time.Time   // until when the account's own figure that was read last counts; zero: none was read
	ExhaustedAt      time.Time   // when the limit is reached at the present rate, or was; zero: not before the reset
	Month            *MonthQuota // nil: no limit of the month
	Clients          []ClientQuota

	USD map[string]float64 // what it costs in US dollars by window: day and, once known, month, month_forecast
}

// ClientQuota is the state of one client's day.
type ClientQuota struct {
	Client      string      // from the configured clients
	Used, Limit float64     // Limit 0: no budget of its own, and no gauge of one
	Month       *MonthQuota // nil: no budget of the month
}

// MonthQuota is how a limit of the UTC calendar month stands.
type MonthQuota struct {
	Limit, Remaining float64
}

// WatchQuota adds the gauges of the account's day. Each scrape calls read once, so that the gauges agree with each
// other. It may be called once; without it there are no such gauges.
func (m *Metrics) WatchQuota(read func() Quota) {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&quotaCollector{
		read: read,
		used: gauge("neuronward_neurons_used",
			"Neurons of the account's day that are spent, as far as this proxy knows."),
		reserved: gauge("neuronward_neurons_reserved",
			"Neurons reserved by calls in flight."),
		external: gauge("neuronward_neurons_external",
			"Neurons of the account's day that were spent outside this proxy, by the account's own figure."),
		lost: gauge("neuronward_neurons_lost",
			"Neurons of the account's day that replicas held when they died; unavailable until the reset."),
		reconciled: gauge("neuronward_reconcile_timestamp_seconds",
			"Unix time until which the account's own figure counts that was read last; 0: none was read."),
		limit: gauge("neuronward_neurons_limit",
			"Limit of the account's day in neurons; absent without a limit."),
		remaining: gauge("neuronward_neurons_remaining",
			"Neurons of the account's day that can still be reserved; absent without a limit."),
		reset: gauge("neuronward_quota_reset_timestamp_seconds",
			"Unix time at which the day ends and the limit applies anew."),
		exhaustion: gauge("neuronward_quota_exhaustion_timestamp_seconds",
			"Unix time at which the limit is reached at the present rate, or was; 0: not before the reset."),
		blocked: gauge("neuronward_quota_latched",
			"1 while the quota block holds: Workers AI itself said that the day is spent; else 0."),
		cost: gauge("neuronward_cost_usd",
			"US dollars that the account's neurons cost: of the UTC day, of the month, and what the month will cost.",
			"window"),
		clientUsed: gauge("neuronward_client_neurons_used",
			"Neurons that a client has spent today.", "client"),
		clientLimit: gauge("neuronward_client_neurons_limit",
			"Budget of a client's day in neurons.", "client"),
		monthLimit: gauge("neuronward_neurons_month_limit",
			"Limit of the account's calendar month in neurons; absent without such a limit."),
		monthRemaining: gauge("neuronward_neurons_month_remaining",
			"Neurons of the account's calendar month that are left; absent without a limit of the month."),
		clientMonthLimit: gauge("neuronward_client_neurons_month_limit",
			"Budget of a client's calendar month in neurons.", "client"),
		clientMonthRemaining: gauge("neuronward_client_neurons_month_remaining",
			"Neurons of a client's budget of the month that are left.", "client"),
	})
}

// quotaCollector exports a Quota.
type quotaCollector struct {
	read func() Quota

	used, reserved, limit, remaining *prometheus.Desc
	reset, exhaustion, blocked       *prometheus.Desc
	clientUsed, clientLimit          *prometheus.Desc
	external, lost, reconciled, cost *prometheus.Desc

	monthLimit, monthRemaining, clientMonthLimit, clientMonthRemaining *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *quotaCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.used, c.reserved, c.limit, c.remaining, c.reset, c.exhaustion, c.blocked,
		c.clientUsed, c.clientLimit, c.cost, c.external, c.lost, c.reconciled,
		c.monthLimit, c.monthRemaining, c.clientMonthLimit, c.clientMonthRemaining,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *quotaCollector) Collect(out chan<- prometheus.Metric) {
	q := c.read()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.used, q.Used)
	gauge(c.reserved, q.Reserved)
	gauge(c.external, q.External)
	gauge(c.lost, q.Lost)
	gauge(c.reconciled, unixTime(q.FigureAt))
	if !q.Unlimited {
		gauge(c.limit, q.Limit)
		gauge(c.remaining, q.Remaining)
	}
	if q.Month != nil {
		gauge(c.monthLimit, q.Month.Limit)
		gauge(c.monthRemaining, q.Month.Remaining)
	}
	gauge(c.reset, unixTime(q.ResetsAt))
	gauge(c.exhaustion, unixTime(q.ExhaustedAt))
	blocked := 0.0
	if q.Blocked {
		blocked = 1
	}
	gauge(c.blocked, blocked)
	for window, usd := range q.USD {
		gauge(c.cost, usd, window)
	}
	for _, client := range q.Clients {
		gauge(c.clientUsed, client.Used, client.Client)
		if client.Limit > 0 {
			gauge(c.clientLimit, client.Limit, client.Client)
		}
		if client.Month != nil {
			gauge(c.clientMonthLimit, client.Month.Limit, client.Client)
			gauge(c.clientMonthRemaining, client.Month.Remaining, client.Client)
		}
	}
}

// unixTime is t in seconds, 0 for the zero time.
func unixTime(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
