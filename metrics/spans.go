package metrics

import "github.com/prometheus/client_golang/prometheus"

// WatchSpans adds the series of spans that did not reach the collector. Each scrape calls dropped once. It may be
// called once.
func (m *Metrics) WatchSpans(dropped func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "neuronward_spans_dropped_total",
		Help: "Spans that did not reach the OpenTelemetry collector: it did not take them, or not fast enough.",
	}, func() float64 { return float64(dropped()) }))
}
