package proxy

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// infers reports whether the call spends of the account's requests per minute:
// inference with our account does, asking after a batch does not.
func (p *Proxy) infers(c *call) bool {
	return c.inference && c.poll == ""
}

// paced reports whether any limit of requests per minute holds for the call: a
// client's own does for all that goes upstream.
func (p *Proxy) paced(c *call) bool {
	return p.pace != nil && (p.infers(c) || c.entry != nil && c.entry.RequestsPerMinute > 0)
}

// elsewhere stands for calls of no task, which only their client's limit is for.
const elsewhere quota.Task = "none"

// turn waits until the call may go by its limits of requests per minute. What it
// returns is why it may not.
func (p *Proxy) turn(c *call) error {
	d, err := p.pass(c)
	switch {
	case err != nil:
		return c.broken(err)
	case d.OK:
		return nil
	case p.guard.Observes():
		p.metrics.Preempted("rate", metrics.ModeObserve)
		return nil
	}
	p.metrics.Preempted("rate", metrics.ModeEnforce)
	return p.tooFast(d)
}

// pass takes one request from the limits, having waited for it, for
// Config.RateWait at most. The error is that the call has ended.
func (p *Proxy) pass(c *call) (pace.Decision, error) {
	if !p.paced(c) {
		return pace.Decision{OK: true}, nil
	}
	c.rate = p.rateKey(c)
	c.lap()
	d, err := p.pace.Acquire(c.ctx, c.rate, p.rateWait)
	c.resume()
	p.metrics.RateWaited(d.Waited)
	return d, err
}

// rateKey is what a Pace must know of the call. A model that is not in the price
// table has the task that its path tells, if it tells one.
func (p *Proxy) rateKey(c *call) pace.Key {
	if !p.infers(c) {
		return pace.Key{Task: elsewhere, Client: c.client, ClientLimit: c.entry.RequestsPerMinute}
	}
	k := pace.Key{Task: cmp.Or(c.price.Task, c.route.task), Model: c.price.BilledAs, PaidOnly: c.price.RequiresWorkersPaid}
	if c.entry != nil {
		k.Client, k.ClientLimit = c.client, c.entry.RequestsPerMinute
	}
	return k
}

// tooFast puts a refusal into words.
func (p *Proxy) tooFast(d pace.Decision) *normalize.Failure {
	limit := strconv.Itoa(d.PerMinute) + " requests a minute for " + clip(d.Limit, 100)
	whose := "this proxy lets through " + limit
	if d.Limit == "client" {
		whose = "your limit is " + strconv.Itoa(d.PerMinute) + " requests a minute"
	}
	slowed := ""
	if pace := int(math.Round(d.Pace)); pace < d.PerMinute {
		slowed = fmt.Sprintf(", at present %d", max(pace, 1))
	}
	f := refuse(normalize.RateLimited, fmt.Sprintf("Too many requests: %s%s, and the turn of this call would not have come within %s. It was not sent; one sent in %s will pass.",
		whose, slowed, text(p.rateWait), text(d.RetryAfter.Truncate(time.Second)+time.Second)), "")
	f.MatchedBy, f.RetryAfter = normalize.MatchedRate, d.RetryAfter
	f.Limit = &normalize.Limit{Name: d.Limit, Client: d.Client, Limit: float64(d.PerMinute), Unit: "requests", Window: "minute"}
	return f
}

// noteRate slows the model down when Workers AI itself says that its requests
// per minute are spent (3021): somebody else spends of the same limit.
func (p *Proxy) noteRate(c *call, f *normalize.Failure) {
	if f == nil || f.Code != normalize.RequestsPerMinuteExceeded || p.pace == nil || !p.infers(c) || p.simulated(c) {
		return
	}
	if p.pace.Throttled(c.rate, time.Now()) {
		p.log.Warn("Workers AI refuses calls that are within its limit of requests per minute (3021): another program on this account spends the same limit. "+
			"The pace of the model is halved and recovers step by step; if this goes on, lower it with "+p.setting("RATE_LIMITS"),
			"model", c.modelText, "task", string(c.rate.Task))
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

// Rates lists the limits of requests per minute that are in use: of tasks, and
// of models that are known.
func (p *Proxy) Rates() []Rate {
	rates := []Rate{}
	if p.pace == nil {
		return rates
	}
	for _, s := range p.pace.Snapshot(time.Now()) {
		r := Rate{Task: string(s.Task), PerMinute: s.PerMinute, Pace: math.Round(s.Pace*10) / 10, Waiting: s.Waiting}
		if s.Model != "" {
			if !p.models.has(s.Model) {
				continue // callers name anything
			}
			r.Model = &s.Model
		}
		rates = append(rates, r)
	}
	return rates
}

// PaceSeries is the same for a gauge.
func (p *Proxy) PaceSeries() []metrics.Pace {
	var series []metrics.Pace
	for _, r := range p.Rates() {
		s := metrics.Pace{Task: r.Task, PerMinute: r.Pace}
		if r.Model != nil {
			s.Model = *r.Model
		}
		series = append(series, s)
	}
	return series
}
