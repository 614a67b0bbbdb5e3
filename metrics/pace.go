package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RateWaited records how long an attempt waited for its limits of requests per minute.
func (m *Metrics) RateWaited(d time.Duration) { m.rateWait.Observe(d.Seconds()) }

// A Pace is the present rate of calls of a task, or of one of its models.
type Pace struct {
	Task, Model string  // from bounded sets; Model is "" where the models of the task share the limit
	PerMinute   float64 // requests
}

// WatchPace adds the gauge of the pace. Each scrape calls read once. It may be called once.
func (m *Metrics) WatchPace(read func() []Pace) {
	m.registry.MustRegister(&paceCollector{read: read, pace: prometheus.NewDesc(
		"neuronward_pace_requests_per_minute",
		"Requests per minute that pass at present: the limit, or less after Workers AI answered 3021. "+
			"The label model is empty where the models of a task share the limit.",
		[]string{"task", "model"}, nil,
	)})
}

type paceCollector struct {
	read func() []Pace
	pace *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *paceCollector) Describe(out chan<- *prometheus.Desc) { out <- c.pace }

// Collect implements prometheus.Collector.
func (c *paceCollector) Collect(out chan<- prometheus.Metric) {
	for _, p := range c.read() {
		out <- prometheus.MustNewConstMetric(c.pace, prometheus.GaugeValue, p.PerMinute, p.Task, p.Model)
	}
}
