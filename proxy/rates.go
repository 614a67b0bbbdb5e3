package proxy

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// rates keep calls within the requests per minute of their model and of their client.
type rates struct {
	limiter *pace.Limiter // nil: none are limited
	maxWait time.Duration
	guard   *guard.Guard // whose mode holds here, too
	models  *knownModels
	metrics *metrics.Metrics
	log     *slog.Logger
	setting normalize.SettingName
}

// infers reports whether the call spends of the account's requests per minute: inference with our account does, asking
// after a batch does not.
func (c *call) infers() bool { return c.inference && c.poll == "" }

// limits reports whether any limit of requests per minute holds for the call. A client's own holds for all that goes
// upstream.
func (r *rates) limits(c *call) bool {
	return r.limiter != nil && (c.infers() || c.entry != nil && c.entry.RequestsPerMinute > 0)
}

// noTask is that of calls for which only their client's limit holds.
const noTask workload.Task = "none"

// wait waits until the call is within its limits of requests per minute, or says why it may not be made.
func (r *rates) wait(c *call) error {
	d, err := r.acquire(c)
	switch {
	case err != nil:
		return c.broken(err)
	case d.OK:
		return nil
	case r.guard.Observes():
		c.observe(r.metrics, "rate")
		return nil
	}
	c.preempted(r.metrics, "rate")
	return r.refusal(d)
}

// acquire takes one request from the limits, having waited for it for Config.RateWait at most. The error is that the
// call has ended.
func (r *rates) acquire(c *call) (pace.Decision, error) {
	if !r.limits(c) {
		return pace.Decision{OK: true}, nil
	}
	c.rate = rateKey(c)
	c.own.stop()
	d, err := r.limiter.Acquire(c.ctx, c.rate, r.maxWait)
	c.own.start()
	r.metrics.RateWaited(d.Waited)
	c.trace.RateWaited(d.Waited)
	return d, err
}

// rateKey is what the limiter must know of the call. A model that is not in the price table has the task of its path,
// if that has one.
func rateKey(c *call) pace.Key {
	if !c.infers() {
		return pace.Key{Task: noTask, Client: c.client, ClientLimit: c.entry.RequestsPerMinute}
	}
	task := cmp.Or(c.price.Task, c.Route.Task)
	k := pace.Key{Task: task, Model: c.price.BilledAs, PaidOnly: c.price.RequiresWorkersPaid}
	if c.entry != nil {
		k.Client, k.ClientLimit = c.client, c.entry.RequestsPerMinute
	}
	return k
}

// refusal turns a decision against the call into a failure.
func (r *rates) refusal(d pace.Decision) *normalize.Failure {
	limit := fmt.Sprintf("this proxy lets through %d requests a minute for %s", d.PerMinute, clip(d.Limit, 100))
	if d.Limit == "client" {
		limit = "your limit is " + strconv.Itoa(d.PerMinute) + " requests a minute"
	}
	if now := int(math.Round(d.Pace)); now < d.PerMinute {
		limit += fmt.Sprintf(", at present %d", max(now, 1))
	}
	f := refuse(normalize.RateLimited, fmt.Sprintf("Too many requests: %s, and this call would have had to wait "+
		"longer than %s. It was not sent; one sent in %s will pass.",
		limit, durationText(r.maxWait), durationText(d.RetryAfter.Truncate(time.Second)+time.Second)), "")
	f.MatchedBy, f.RetryAfter = normalize.MatchedRate, d.RetryAfter
	f.Limit = &normalize.Limit{
		Name: d.Limit, Client: d.Client, Limit: float64(d.PerMinute), Unit: "requests", Window: "minute",
	}
	return f
}

// observe slows a model down when Workers AI itself refuses an attempt because the model's requests per minute are
// spent (3021): another program spends the same limit.
func (r *rates) observe(c *call, f *normalize.Failure) {
	if f == nil || f.Code != normalize.RequestsPerMinuteExceeded || r.limiter == nil || !c.infers() || c.simulated {
		return
	}
	if r.limiter.Throttled(c.rate, time.Now()) {
		r.log.Warn("Workers AI refuses calls that are within its limit of requests per minute (3021): another program "+
			"on this account spends the same limit. The pace of the model is halved and recovers step by step; if "+
			"this goes on, lower it with "+r.setting("RATE_LIMITS"), "model", c.modelText, "task", string(c.rate.Task))
	}
}

// A Rate is how one limit of requests per minute stands, for /status.
type Rate struct {
	Task      string  `json:"task"`
	Model     *string `json:"model"`               // null where the models of the task share the limit
	PerMinute int     `json:"requests_per_minute"` // the limit
	Pace      float64 `json:"pace"`                // at which calls pass at present: less than the limit after 3021
	Waiting   int     `json:"waiting"`             // calls
}

// status lists the limits that are in use: of tasks, and of models that are known.
func (r *rates) status() []Rate {
	list := []Rate{}
	if r.limiter == nil {
		return list
	}
	for _, s := range r.limiter.Snapshot(time.Now()) {
		rate := Rate{
			Task: string(s.Task), PerMinute: s.PerMinute, Pace: math.Round(s.Pace*10) / 10, Waiting: s.Waiting,
		}
		if s.Model != "" {
			if !r.models.has(s.Model) {
				continue // callers name anything
			}
			rate.Model = &s.Model
		}
		list = append(list, rate)
	}
	return list
}

// series is the same for a gauge.
func (r *rates) series() []metrics.Pace {
	var series []metrics.Pace
	for _, rate := range r.status() {
		s := metrics.Pace{Task: rate.Task, PerMinute: rate.Pace}
		if rate.Model != nil {
			s.Model = *rate.Model
		}
		series = append(series, s)
	}
	return series
}
