package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
)

// Build names the running binary.
type Build struct {
	Version string // release, such as "1.4.0"
	Commit  string // revision it was built from
}

// Metrics is the set of series of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	minutes  *minutes.Minutes

	errors       *prometheus.CounterVec
	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	firstByte    *prometheus.HistogramVec
	overhead     prometheus.Histogram
	inFlight     prometheus.Gauge
	queued       prometheus.Gauge
	unclassified *prometheus.CounterVec
	retries      *prometheus.CounterVec
	rateWait     prometheus.Histogram
	quota        quotaSeries
}

// New returns the series on a registry of their own, together with the collectors of Go and of the process.
func New(b Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		minutes:  minutes.New(),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_errors_total",
			Help: "Failures delivered to callers, by catalog entry, by who failed the call (origin), " +
				"and by who can fix it (fault).",
		}, []string{"code", "name", "origin", "fault"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_requests_total",
			Help: "Calls that ended, by result: ok, the slug of the failure, or client_gone.",
		}, []string{"route", "model", "client", "result"}),
		duration: prometheus.NewHistogramVec(histogram(
			"neuronward_request_duration_seconds",
			"Time from a call's arrival to the last byte of its answer, in seconds.",
			0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
		), []string{"route", "stream"}),
		firstByte: prometheus.NewHistogramVec(histogram(
			"neuronward_time_to_first_byte_seconds",
			"Time from a call's arrival to the first byte of its answer's body, in seconds.",
			0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
		), []string{"route"}),
		overhead: prometheus.NewHistogram(histogram(
			"neuronward_overhead_seconds",
			"Time that this proxy itself added before the answer's headers, in seconds: without upstream, "+
				"without the caller's upload and without waiting for a slot or a rate limit.",
			0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1,
		)),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "neuronward_requests_in_flight",
			Help: "Calls that have arrived and not ended.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "neuronward_requests_queued",
			Help: "Calls waiting for a free slot (NEURONWARD_MAX_IN_FLIGHT); they count as in flight.",
		}),
		unclassified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_unclassified_total",
			Help: "Upstream failures that are not in the catalog, by upstream's HTTP status.",
		}, []string{"status"}),
		retries: newRetries(),
		rateWait: prometheus.NewHistogram(histogram(
			"neuronward_rate_wait_seconds",
			"Time that an attempt waited for its limits of requests per minute, in seconds; 0 if it did not wait.",
			0, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30,
		)),
		quota: newQuotaSeries(),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "neuronward_build_info",
		Help: "Always 1; the labels say which binary runs.",
	}, []string{"version", "commit", "goversion"})
	build.WithLabelValues(b.Version, b.Commit, runtime.Version()).Set(1)

	for _, e := range normalize.Catalog() {
		for _, origin := range e.Origins {
			m.errors.WithLabelValues(strconv.Itoa(e.Number), e.Slug, string(origin), string(e.Fault))
		}
		if e.Code.AboutCredentials() || e.Code == normalize.NoSuchRoute {
			m.errors.WithLabelValues(strconv.Itoa(e.Number), e.Slug,
				string(normalize.OriginUpstream), string(normalize.FaultOperator))
		}
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.errors, m.requests, m.duration, m.firstByte, m.overhead, m.inFlight, m.queued,
		m.unclassified, m.retries, m.rateWait, build,
	)
	m.registry.MustRegister(m.quota.collectors()...)
	return m
}

// histogram describes a histogram with classic buckets for every scraper and native ones for those that ask.
func histogram(name, help string, buckets ...float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Handler serves the series: plain text by default, OpenMetrics with exemplars or protobuf with native histograms when
// the scraper asks for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry:          m.registry,
		EnableOpenMetrics: true,
	})
}

// Gatherer returns the registry, for tests that read values.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Minutes returns what is kept of the same events for the page.
func (m *Metrics) Minutes() *minutes.Minutes { return m.minutes }
