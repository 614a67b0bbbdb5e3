package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuronward/neuronward/normalize"
)

// Outcomes of a retry.
const (
	RetryRecovered = "recovered" // the call succeeded in the end
	RetryFailed    = "failed"    // the call failed in the end
	RetryBudget    = "budget"    // no retry: the retry budget is used up, or the model is out of capacity
)

func newRetries() *prometheus.CounterVec {
	retries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "neuronward_retries_total",
		Help: "Retries, by the code that the attempt before failed with and by the result of the call: recovered or " +
			"failed. The outcome budget counts retries that were not made: the retry budget is used up, or the model " +
			"is out of capacity.",
	}, []string{"code", "outcome"})
	for _, c := range []normalize.Code{
		normalize.OutOfCapacity, normalize.UpstreamRetriesExhausted, normalize.UpstreamInternalError,
		normalize.UpstreamUnavailable, normalize.UpstreamUnreachable,
	} {
		for _, outcome := range []string{RetryRecovered, RetryFailed, RetryBudget} {
			retries.WithLabelValues(strconv.Itoa(c.Entry().Number), outcome)
		}
	}
	return retries
}

// Retried counts a retry; c is what the attempt before it failed with.
func (m *Metrics) Retried(c normalize.Code, outcome string) {
	m.retries.WithLabelValues(strconv.Itoa(c.Entry().Number), outcome).Inc()
}

// WatchBreakers adds the gauge of models out of capacity. Each scrape calls read once, which must return models from
// the bounded set, each once. It may be called once.
func (m *Metrics) WatchBreakers(read func() []string) {
	m.registry.MustRegister(&breakerCollector{read: read, open: prometheus.NewDesc("neuronward_breaker_open",
		"1 for a model that Workers AI has no capacity for (3040): most of its calls are refused here. "+
			"Absent for other models.",
		[]string{"model"}, nil)})
}

type breakerCollector struct {
	read func() []string
	open *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *breakerCollector) Describe(out chan<- *prometheus.Desc) { out <- c.open }

// Collect implements prometheus.Collector.
func (c *breakerCollector) Collect(out chan<- prometheus.Metric) {
	for _, model := range c.read() {
		out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, 1, model)
	}
}
