package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// guard asks the ledger before a call is made and settles with it afterwards.
// Package quota decides in neurons; only here does a decision become an error
// of the catalog.
type guard struct {
	ledger          *quota.Ledger // nil: nothing is reserved or counted
	estimator       *price.Estimator
	abortedEstimate bool
	freePlan        bool
	batches         batches
}

// A charge is what one call has to do with the ledger.
type charge struct {
	request     quota.Request
	estimate    price.Estimate
	call        quota.Call
	decision    quota.Decision
	decided     time.Time          // when, by the machine's monotonic clock
	reservation *quota.Reservation // nil: the call is not metered
	meter       *meter.Meter       // nil: nobody is asked what the call cost
	before      quota.Neurons      // what earlier attempts cost
	poll        string             // request id of a batch that is polled
	cached      bool               // an AI Gateway answered from its cache
	sent        *atomic.Bool       // upstream may have seen the present attempt; nil: it has not been made
}

// seen reports whether upstream may have seen the present attempt.
func (ch *charge) seen() bool { return ch.sent != nil && ch.sent.Load() }

// reserve sets aside what the call may cost, or says why it may not be made.
// Calls on another account, with the caller's own token, are not ours to meter.
func (p *Proxy) reserve(c *call) error {
	g := &p.guard
	if g.ledger == nil || !c.metered {
		return nil
	}
	if c.price.RequiresWorkersPaid && g.freePlan {
		if err := p.refusePlan(c); err != nil {
			return err
		}
	}
	ch := &c.charge
	ch.request = p.measured(c)
	if ch.poll = c.poll; ch.poll != "" {
		if g.batches.foreign(ch.poll, c.client) {
			ch.poll = ""
			return forbidden("Another client of this proxy submitted the batch of this request_id.")
		}
		ch.meter = meter.New()
		return nil // a poll costs nothing; the batch was charged when it was submitted
	}
	ch.estimate = g.estimator.Estimate(c.price, ch.request)
	ch.call = quota.Call{Model: c.label, Client: c.client, Estimate: ch.estimate.Neurons}
	if c.entry != nil {
		ch.call.ClientLimit, ch.call.CountClient, ch.call.Priority = c.entry.DailyNeurons, true, c.entry.Priority
	}
	c.lap()
	res, d, err := g.ledger.Reserve(c.ctx, ch.call)
	c.resume()
	ch.decision, ch.decided = d, c.mark
	switch {
	case errors.Is(err, quota.ErrClosed):
		return refuse(normalize.ShuttingDown, "", "")
	case err != nil && c.ctx.Err() != nil:
		return c.broken(err)
	case err != nil:
		return unable(normalize.StoreUnavailable, "", err)
	}
	if d.Would != quota.Allowed {
		p.metrics.Preempted(reasonOf(d.Would, d.Budget), "observe")
	}
	if res == nil {
		p.metrics.Preempted(reasonOf(d.Outcome, d.Budget), "enforce")
		return p.denied(c, d)
	}
	ch.reservation, ch.meter = res, meter.New()
	return nil
}

// observes reports whether what would be refused is only counted.
func (p *Proxy) observes() bool {
	return p.guard.ledger != nil && p.guard.ledger.Mode() == quota.Observe
}

// barred refuses a call that waited for its turn while Workers AI said that the
// day is spent.
func (p *Proxy) barred(c *call) *normalize.Failure {
	ch := &c.charge
	if ch.reservation == nil {
		return nil
	}
	d, barred := ch.reservation.Blocked()
	if !barred {
		return nil
	}
	ch.decision, ch.decided = d, c.mark
	p.metrics.Preempted(reasonOf(d.Outcome, d.Budget), metrics.ModeEnforce)
	return p.denied(c, d)
}

// refusePlan refuses a model that the free plan does not have; in observe mode
// it only counts.
func (p *Proxy) refusePlan(c *call) error {
	if p.guard.ledger.Mode() != quota.Enforce {
		p.metrics.Preempted("plan", "observe")
		return nil
	}
	p.metrics.Preempted("plan", "enforce")
	f := refuse(normalize.PaidPlanRequired, "The model "+c.modelText+
		" requires a Workers Paid plan, and this proxy is set up for the free one. If the account is on Workers Paid, set NEURONWARD_PLAN=paid.", "model")
	f.MatchedBy = normalize.MatchedBudget
	return f
}

// reasonOf is the label of a refusal.
func reasonOf(o quota.Outcome, pot quota.Budget) string {
	switch o {
	case quota.Blocked:
		return "latched"
	case quota.PriorityFloor:
		return "priority_floor"
	case quota.Contended:
		return "contended"
	}
	if pot == quota.Account {
		return "account_quota"
	}
	return "client_budget"
}

// denied puts a decision into words.
func (p *Proxy) denied(c *call, d quota.Decision) *normalize.Failure {
	f := &normalize.Failure{
		Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedBudget, ResetsAt: d.ResetsAt,
		Limit: &normalize.Limit{
			Name: "account", Used: d.Used.Add(d.External).Float(), Reserved: d.Reserved.Float(), Limit: d.Limit.Float(), Unit: "neurons", Window: "day",
		},
	}
	if d.Unlimited {
		f.Limit = nil
	}
	whose, holding := "The ceiling of "+neurons(d.Limit)+" neurons a day set for this proxy", "Calls in flight"
	if d.Budget != quota.Account {
		whose, holding = "Your budget of "+neurons(d.Limit)+" neurons a day", "Your calls in flight"
		f.Limit.Name, f.Limit.Client = "client", c.client
	}
	resets := "It resets at " + d.ResetsAt.UTC().Format(time.RFC3339) + "."
	f.RetryAfter = d.ResetsAt.Sub(d.At)
	switch d.Outcome {
	case quota.Blocked:
		f.Code = normalize.AccountLimited
		if d.Late {
			f.RetryAfter = d.RetryAt.Sub(d.At)
			f.Message = "Workers AI still says that the account's daily allocation is used up, although a new day has begun, so this call was not sent. The next call is let through to see at " +
				d.RetryAt.UTC().Format(time.RFC3339) + "."
			break
		}
		f.Message = "Workers AI has said that the account's daily allocation is used up, so this call was not sent. " + resets
	case quota.PriorityFloor:
		f.Code = normalize.PriorityFloor
		kept := neurons(d.Kept) + " of the day's " + neurons(d.Limit) + " neurons are kept for calls of a higher priority"
		if left := d.Left(); left > d.Limit/100 {
			f.Message = fmt.Sprintf("This call may need %s neurons, more than the %s that are left for its priority: %s. %s%s",
				neurons(d.Estimate), neurons(left), kept, smaller(&c.charge.request), resets)
		} else {
			f.Message = kept + ", and the rest is spent. " + resets
		}
	case quota.Contended:
		f.Code, f.ResetsAt, f.RetryAfter = normalize.QuotaContended, time.Time{}, 0
		kept := ""
		if d.Kept > 0 {
			kept = ", " + neurons(d.Kept) + " kept for calls of a higher priority"
		}
		f.Message = fmt.Sprintf("%s hold the neurons that this call may need, %s. %s: %s, %s reserved%s. It may fit when they end.",
			holding, neurons(d.Estimate), whose, used(d), neurons(d.Reserved), kept)
	default:
		f.Code = normalize.AccountLimited
		if d.Budget != quota.Account {
			f.Code = normalize.ClientBudgetExhausted
		}
		if left := d.Left(); left > d.Limit/100 {
			f.Message = fmt.Sprintf("This call may need %s neurons, more than the %s that are left. %s allows no more today: %s. %s%s",
				neurons(d.Estimate), neurons(left), whose, used(d), smaller(&c.charge.request), resets)
		} else {
			f.Message = fmt.Sprintf("%s is reached: %s, this call may need %s. %s", whose, used(d), neurons(d.Estimate), resets)
		}
	}
	return f
}

// used tells what of a pot cannot come back today.
func used(d quota.Decision) string {
	text := neurons(d.Used.Add(d.External)) + " used"
	if d.External != 0 {
		text += ", of which " + neurons(d.External) + " outside this proxy"
	}
	if d.Lost != 0 {
		text += ", " + neurons(d.Lost) + " held by processes that have ended"
	}
	return text
}

// smaller says what may make a call fit into what is left, "" where nothing
// does.
func smaller(r *quota.Request) string {
	if len(r.Parts) > 0 {
		return "A smaller batch may fit. "
	}
	switch r.Task {
	case quota.TextToImage:
		return "A smaller picture or fewer steps may fit. "
	case quota.SpeechRecognition, quota.VoiceActivity:
		return "A shorter recording may fit. "
	case quota.TextToSpeech, quota.TextEmbeddings, quota.TextClassification, quota.Translation:
		return "A shorter text may fit. "
	case quota.ImageClassification:
		return ""
	default:
		return "A smaller max_tokens or a shorter prompt may fit. "
	}
}

// neurons is an amount for people: whole above 100, thousands set apart.
func neurons(n quota.Neurons) string {
	f := n.Float()
	if f < 100 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// heard takes what every answer of upstream's says beside itself: the time,
// unless it comes from a cache and the time is old, and whether it does.
func (p *Proxy) heard(c *call, h http.Header) {
	if p.guard.ledger == nil {
		return
	}
	c.charge.cached = strings.EqualFold(h.Get("Cf-Aig-Cache-Status"), "HIT")
	if c.charge.cached || h.Get("Age") != "" {
		return
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		p.guard.ledger.Observe(date)
	}
}

// latch shuts the account's gate when Workers AI itself has said that the day is
// spent, and only then: by 429 or in a stream, on a call with our account.
func (p *Proxy) latch(c *call, f *normalize.Failure, status int, event bool) {
	if p.guard.ledger == nil || f.Code != normalize.AccountLimited || !c.ours {
		return
	}
	if p.provoked(c) {
		return
	}
	if status != http.StatusTooManyRequests && !event {
		return
	}
	if res := c.charge.reservation; res != nil {
		res.Refused()
		return
	}
	p.guard.ledger.Block(time.Time{})
}

// reset returns when the account's day ends and when a call may be tried again
// that Workers AI has refused because it is spent.
func (p *Proxy) reset(c *call) (at time.Time, retry time.Duration) {
	if p.guard.ledger == nil || !c.ours {
		at = nextMidnight(time.Now())
		return at, time.Until(at)
	}
	return p.guard.ledger.Reset()
}

// provoked reports whether the demo's caller asked for a failure: that is
// make-believe, and must not end the day or shut a model off.
func (p *Proxy) provoked(c *call) bool {
	return p.simulate && c.inbound.Header.Get("X-Simulate") != ""
}
