package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
)

// Results of a call that are no slug of the catalog.
const (
	ResultOK         = "ok"
	ResultClientGone = "client_gone"
)

// Other stands for every label value outside its bounded set.
const Other = "other"

// ThirdParty stands for every model that is not one of Workers AI's.
const ThirdParty = "third_party"

// Call is how one call ended. Route, Model and Client must come from bounded sets: the route table, the known models,
// the configured clients.
type Call struct {
	Route, Model, Client string
	Stream               bool
	Result               string        // ResultOK, ResultClientGone, or the failure's slug
	Duration             time.Duration // arrival to the last byte
	FirstByte            time.Duration // arrival to the first byte of the body; 0 where there was none
	Overhead             time.Duration // what this proxy added before the headers of the answer
	RequestID            string        // exemplar; never a label
	TraceID              string        // likewise; "": the call is part of no trace
}

// Began counts a call that arrived.
func (m *Metrics) Began() { m.inFlight.Inc() }

// Queued counts a call that waits for a free slot, until Unqueued.
func (m *Metrics) Queued() { m.queued.Inc() }

// Unqueued counts a call that no longer waits, whether it got a slot or not.
func (m *Metrics) Unqueued() { m.queued.Dec() }

// Ended counts a call that ended, and records its result and its durations.
func (m *Metrics) Ended(c *Call) {
	m.inFlight.Dec()
	m.requests.WithLabelValues(c.Route, c.Model, c.Client, c.Result).Inc()
	observe(m.duration.WithLabelValues(c.Route, strconv.FormatBool(c.Stream)), c.Duration, c)
	if c.FirstByte > 0 {
		observe(m.firstByte.WithLabelValues(c.Route), c.FirstByte, c)
	}
	m.overhead.Observe(c.Overhead.Seconds())
	m.minutes.Ended(time.Now(), &minutes.Call{
		Model: c.Model, Client: c.Client, Failed: c.Result != ResultOK, Duration: c.Duration, FirstByte: c.FirstByte,
	})
}

// exemplarFrom is the shortest duration that carries an exemplar. Dashboards show exemplars of slow calls, and an
// exemplar costs allocations where there are none otherwise.
const exemplarFrom = time.Second

// maxExemplar bounds the labels of an exemplar, their names included: Prometheus refuses more.
const maxExemplar = 128

func observe(o prometheus.Observer, d time.Duration, c *Call) {
	e, ok := o.(prometheus.ExemplarObserver)
	if !ok || d < exemplarFrom {
		o.Observe(d.Seconds())
		return
	}
	labels, left := prometheus.Labels{}, maxExemplar
	for _, l := range [...]struct{ name, value string }{{"trace_id", c.TraceID}, {"request_id", c.RequestID}} {
		if n := len(l.name) + len(l.value); l.value != "" && n <= left {
			labels[l.name] = l.value
			left -= n
		}
	}
	e.ObserveWithExemplar(d.Seconds(), labels)
}

// Failed counts a failure that was delivered to a caller.
func (m *Metrics) Failed(c normalize.Code, origin normalize.Origin, fault normalize.Fault) {
	e := c.Entry()
	m.errors.WithLabelValues(strconv.Itoa(e.Number), e.Slug, string(origin), string(fault)).Inc()
	m.minutes.Failed(time.Now(), c, origin, fault)
}

// Unclassified counts an upstream failure that is not in the catalog, by the HTTP status that upstream sent.
func (m *Metrics) Unclassified(status int) {
	if status < 100 || status > 599 {
		m.unclassified.WithLabelValues(Other).Inc()
		return
	}
	m.unclassified.WithLabelValues(strconv.Itoa(status)).Inc()
}
