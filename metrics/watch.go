package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Quota is how the account's day stands, in neurons.
type Quota struct {
	Used, Reserved   float64
	External         float64 // spent outside this proxy, by the account's own figure
	Lost             float64 // held by processes that died; not to be spent before the reset
	Limit, Remaining float64 // without meaning where Unlimited
	Unlimited        bool    // there is no ceiling
	Latched          bool    // Workers AI itself said that the day is spent
	ResetsAt         time.Time
	FigureAt         time.Time // until when that figure was counted that was read last; zero: none was
	ExhaustedAt      time.Time // when the day will be spent at the present rate, or was; zero: not before the reset
	Clients          []ClientQuota
}

// ClientQuota is how the day of one client stands.
type ClientQuota struct {
	Client      string  // from the configured clients
	Used, Limit float64 // Limit 0: no budget of its own, and no gauge of one
}

// WatchQuota adds the gauges of the account's day. Each scrape calls read once,
// so that they agree with each other. It may be called once; without it there
// are no such gauges.
func (m *Metrics) WatchQuota(read func() Quota) {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m.registry.MustRegister(&quotaCollector{
		read:        read,
		used:        gauge("neuronward_neurons_used", "Neurons that the account's day has cost, as far as this proxy knows."),
		reserved:    gauge("neuronward_neurons_reserved", "Neurons that calls in flight may still cost."),
		external:    gauge("neuronward_neurons_external", "Neurons of the account's day that were spent outside this proxy, by the account's own figure."),
		lost:        gauge("neuronward_neurons_lost", "Neurons of the account's day that processes held which died; nobody can spend them before the reset."),
		reconciled:  gauge("neuronward_reconcile_timestamp_seconds", "Unix time until which the account's own figure was counted that was last compared with this proxy's; 0: none was."),
		limit:       gauge("neuronward_neurons_limit", "Ceiling of the account's day in neurons; absent without one."),
		remaining:   gauge("neuronward_neurons_remaining", "Neurons that are left of the account's day; absent without a ceiling."),
		reset:       gauge("neuronward_quota_reset_timestamp_seconds", "Unix time at which the day ends and neurons are given anew."),
		exhaustion:  gauge("neuronward_quota_exhaustion_timestamp_seconds", "Unix time at which the day will be spent at the present rate, or was spent; 0: not before the reset."),
		latched:     gauge("neuronward_quota_latched", "Whether Workers AI itself said that the day is spent, 0 or 1."),
		clientUsed:  gauge("neuronward_client_neurons_used", "Neurons that the day of a client has cost.", "client"),
		clientLimit: gauge("neuronward_client_neurons_limit", "Budget of a client's day in neurons.", "client"),
	})
}

// quotaCollector makes gauges of a Quota when it is asked.
type quotaCollector struct {
	read func() Quota

	used, reserved, limit, remaining *prometheus.Desc
	reset, exhaustion, latched       *prometheus.Desc
	clientUsed, clientLimit          *prometheus.Desc
	external, lost, reconciled       *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *quotaCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.used, c.reserved, c.limit, c.remaining, c.reset, c.exhaustion, c.latched, c.clientUsed, c.clientLimit, c.external, c.lost, c.reconciled,
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
	gauge(c.reset, unixTime(q.ResetsAt))
	gauge(c.exhaustion, unixTime(q.ExhaustedAt))
	latched := 0.0
	if q.Latched {
		latched = 1
	}
	gauge(c.latched, latched)
	for _, client := range q.Clients {
		gauge(c.clientUsed, client.Used, client.Client)
		if client.Limit > 0 {
			gauge(c.clientLimit, client.Limit, client.Client)
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
