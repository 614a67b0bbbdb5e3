package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Modes in which a call can be preempted.
const (
	ModeEnforce = "enforce" // it was refused
	ModeObserve = "observe" // it passed, and would have been refused
)

// reasons are why a call can be preempted, which means that it does not reach Workers AI.
var reasons = [...]string{
	"account_quota",  // the limit of the account's day
	"client_budget",  // the client's own budget
	"contended",      // calls in flight held what it needed, for as long as it waited
	"priority_floor", // what is left is reserved for calls of a higher priority
	"rate",           // requests per minute
	"capacity",       // the model is out of capacity
	"overload",       // too many calls at once
	"latched",        // the quota block: Workers AI itself said that the day is spent
	"plan",           // the model needs Workers Paid
	"model",          // the operator does not allow the model
	"credentials",    // Cloudflare refuses the proxy's own token
}

// BasisUnmetered is the basis of calls that spend no neurons: of models that are not Workers AI's.
const BasisUnmetered = "unmetered"

// quotaSeries are the series of neurons.
type quotaSeries struct {
	preempted     *prometheus.CounterVec
	clients       *clientLabels // of preempted
	neurons       *prometheus.CounterVec
	tokens        *prometheus.CounterVec
	estimateRatio *prometheus.HistogramVec
	storeFailures *prometheus.CounterVec
	storeDuration *prometheus.HistogramVec
	storeUncopied prometheus.Counter

	reconcileFailures prometheus.Counter
}

func newQuotaSeries() quotaSeries {
	s := quotaSeries{
		clients: &clientLabels{known: map[string]bool{anonymous: true}},
		preempted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_preempted_total",
			Help: "Calls that were refused before they reached Workers AI, by reason; " +
				"with mode observe, calls that passed and would have been refused.",
		}, []string{"reason", "mode", "client"}),
		neurons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_neurons_total",
			Help: "Neurons that calls cost, by where the figure comes from: " +
				"reported by Workers AI, priced by the table, estimated, or unmetered: " +
				"0 for models that are billed in dollars.",
		}, []string{"model", "client", "basis"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_tokens_total",
			Help: "Tokens that Workers AI reported, by kind: " +
				"input (without those from the cache), cached_input, output.",
		}, []string{"model", "kind"}),
		estimateRatio: prometheus.NewHistogramVec(histogram(
			"neuronward_estimate_ratio",
			"Cost of a call divided by what was reserved for it. Above 1 the reservation was too small.",
			0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5,
		), []string{"task"}),
		storeFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "neuronward_store_failures_total",
			Help: "Operations of the store that failed, by what then happens to calls that need it: deny or allow.",
		}, []string{"policy"}),
		storeUncopied: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "neuronward_store_grants_uncopied_total",
			Help: "Grants of a Redis server with replicas that none of them had in time.",
		}),
		reconcileFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "neuronward_reconcile_failures_total",
			Help: "Readings of the account's own figure that failed.",
		}),
		storeDuration: prometheus.NewHistogramVec(histogram(
			"neuronward_store_duration_seconds",
			"Time that one operation of the store took, in seconds, failed ones included.",
			0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
		), []string{"op"}),
	}
	for _, reason := range reasons {
		s.preempted.WithLabelValues(reason, ModeEnforce, anonymous)
		s.preempted.WithLabelValues(reason, ModeObserve, anonymous)
	}
	for _, policy := range []string{"deny", "allow"} {
		s.storeFailures.WithLabelValues(policy)
	}
	for _, op := range []string{"exchange", "history", "lease", "batch"} {
		s.storeDuration.WithLabelValues(op)
	}
	return s
}

func (s *quotaSeries) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		s.preempted, s.neurons, s.tokens, s.estimateRatio, s.storeFailures, s.storeDuration, s.storeUncopied,
		s.reconcileFailures,
	}
}

// Preempted counts a call that was refused before it reached Workers AI, or would have been: mode is ModeEnforce or
// ModeObserve, reason one of account_quota, client_budget, contended, priority_floor, rate, capacity, overload,
// latched, plan, model and credentials. Model must come from a bounded set; clients beyond the first 50 are Other.
func (m *Metrics) Preempted(reason, mode, model, client string) {
	m.quota.preempted.WithLabelValues(reason, mode, m.quota.clients.label(client)).Inc()
	if mode == ModeObserve {
		m.minutes.WouldRefuse(time.Now(), model, client, reason)
	}
}

// maxClients is how many clients have a label of their own in neuronward_preempted_total, anonymous included.
const maxClients = 50

// anonymous is the client of calls without one. Its series are there from the start: a rate over a counter that appears
// with its first event misses that event.
const anonymous = "anonymous"

// clientLabels are the clients that have a label.
type clientLabels struct {
	mu    sync.Mutex
	known map[string]bool
}

func (l *clientLabels) label(client string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known[client] {
		if len(l.known) >= maxClients {
			return Other
		}
		l.known[client] = true
	}
	return client
}

// Spent counts what a call cost, in neurons. Model and client must come from bounded sets; basis is reported, priced,
// estimated or BasisUnmetered. A correction below 0 is not counted, because a counter never falls.
func (m *Metrics) Spent(model, client, basis string, neurons float64) {
	neurons = max(neurons, 0)
	m.quota.neurons.WithLabelValues(model, client, basis).Add(neurons)
	m.minutes.Spent(time.Now(), model, client, neurons)
}

// Tokens counts n tokens of a kind: input, cached_input or output.
func (m *Metrics) Tokens(model, kind string, n int64) {
	m.quota.tokens.WithLabelValues(model, kind).Add(float64(max(n, 0)))
}

// EstimateRatio records the cost of a call divided by what was reserved for it.
func (m *Metrics) EstimateRatio(task string, ratio float64) {
	m.quota.estimateRatio.WithLabelValues(task).Observe(ratio)
}

// StoreUncopied counts a grant that no replica of the store's server had in time.
func (m *Metrics) StoreUncopied() { m.quota.storeUncopied.Inc() }

// StoreFailed counts an operation of the store that failed; policy is what then happens to calls: deny or allow.
func (m *Metrics) StoreFailed(policy string) { m.quota.storeFailures.WithLabelValues(policy).Inc() }

// ReconcileFailed counts a reading of the account's own figure that failed.
func (m *Metrics) ReconcileFailed() { m.quota.reconcileFailures.Inc() }

// StoreTook records how long an operation of the store took; op is exchange, history, lease or batch.
func (m *Metrics) StoreTook(op string, d time.Duration) {
	m.quota.storeDuration.WithLabelValues(op).Observe(d.Seconds())
}
