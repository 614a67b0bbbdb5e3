package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A Recorder counts what the guard decides. *metrics.Metrics is one.
type Recorder interface {
	// Preempted counts a call that was refused or, in observe mode, would have been.
	Preempted(reason, mode, model, client string)
	// Spent counts neurons, by the label of the basis that they rest on.
	Spent(model, client, basis string, neurons float64)
	// EstimateRatio observes settled neurons divided by reserved ones.
	EstimateRatio(task string, ratio float64)
	// Tokens counts tokens of a kind: input, cached_input or output.
	Tokens(model, kind string, n int64)
}

// The modes of Recorder.Preempted.
const (
	modeEnforce = "enforce"
	modeObserve = "observe"
)

// Options are what a Guard needs.
type Options struct {
	Ledger    *quota.Ledger // keeps the account's neurons; nil: nothing is reserved or counted
	Estimator *price.Estimator
	Recorder  Recorder
	Aborted   Aborted // how a call is charged that was cut off
	FreePlan  bool    // models that require a Workers Paid plan are refused

	// LabelOf returns the label of a model that a router chose, from a bounded set. It is required for routed calls.
	LabelOf func(model string) string

	// OnNoLimit is called, at most once a day, when calls in flight that name no limit of output hold more than half of
	// the account's limit. It must not block. May be nil.
	OnNoLimit func(held, limit quota.Neurons)
}

// Aborted says how a stream is charged that was cut off before its end.
type Aborted uint8

// The ways: Fair is the prompt, what came, and what a model makes in a second; Seen is the prompt and what came;
// Estimate is all that was reserved, also for calls that are not streamed. None exceeds what was reserved.
const (
	Fair Aborted = iota
	Seen
	Estimate
)

// A Guard asks the ledger before a call is made and settles with it afterwards.
type Guard struct {
	o       Options
	ledger  *quota.Ledger
	batches batches
	speeds  speeds
	noLimit noLimit
	meters  sync.Pool // of *meter.Meter, each half of what a charge takes
	charges sync.Pool // of *Charge, empty
}

// New returns a Guard.
func New(o Options) *Guard { return &Guard{o: o, ledger: o.Ledger, batches: batches{ledger: o.Ledger}} }

// A Call is what the guard must know of a call before it is made.
type Call struct {
	Model     *price.Model
	ModelText string // the model for messages
	Label     string // the model as a label, from a bounded set
	Client    string // as a label, from a bounded set

	HasClient    bool          // the client is one of the clients file, and so has a budget of its own
	ClientBudget quota.Neurons // for a day; 0: no limit
	ClientMonth  quota.Neurons // for a UTC calendar month; 0: no limit
	Priority     quota.Priority

	Request    workload.Request // as measured
	LimitField string           // how the caller's protocol calls the limit of output tokens; "": it can set none
	Batch      bool             // the call submits a batch, or asks after one
	Poll       string           // id of the batch that the call asks after, "" for every other call
	OfBatch    bool             // the body names a batch: asking after one makes it nobody's
	Routed     bool             // a router chooses the model: nothing is reserved
	Session    bool             // it is one over a WebSocket: what Ahead says is reserved
	Began      time.Time

	Attempts int // how often AI Gateway may make the call, each of which is billed; 0 and 1: once
}

// SubmittedByOther reports whether the batch of a request id is known to be another client's. It may ask the store.
func (g *Guard) SubmittedByOther(ctx context.Context, id, client string) bool {
	return id != "" && g.batches.foreign(ctx, id, client)
}

// Watch returns the charge of a call that is not counted, and whose answer is read only to know whose batch it submits.
func (g *Guard) Watch(c *Call) *Charge {
	ch := g.charge(c)
	ch.meter = ch.newMeter()
	return ch
}

// meter returns a meter that has read nothing, in memory that may have been one's before.
func (g *Guard) meter() *meter.Meter {
	m, ok := g.meters.Get().(*meter.Meter)
	if !ok {
		return meter.New()
	}
	*m = meter.Meter{}
	m.Init()
	return m
}

// On reports whether calls are counted at all.
func (g *Guard) On() bool { return g.ledger != nil }

// Observes reports whether what would be refused is only counted.
func (g *Guard) Observes() bool { return g.On() && g.ledger.Mode() == quota.Observe }

// Reserve sets aside what the call may cost. Its error is a *normalize.Failure, or that of ctx where the call has
// ended. The charge is returned beside a refusal, too: its Decision says how the budget stands.
func (g *Guard) Reserve(ctx context.Context, c *Call) (*Charge, error) {
	would, err := g.checkPlan(c)
	if err != nil {
		return nil, err
	}
	ch := g.charge(c)
	ch.would = would
	if c.Poll != "" || c.Routed { // a poll costs nothing: the batch was charged when it was submitted
		ch.meter = ch.newMeter()
		return ch, nil
	}
	if c.Session {
		ch.estimate.Neurons = g.o.Estimator.SessionCost(*c.Model, Ahead())
	} else {
		ch.estimate = g.o.Estimator.Estimate(*c.Model, c.Request)
	}
	ch.request.Estimate = ch.bound()
	d, err := ch.reserve(ctx)
	if err != nil {
		return ch, undecided(ctx, err)
	}
	if d.Would != quota.Allowed && ch.would == "" {
		ch.would = reasonOf(d.Would, d.Budget)
		ch.preempted(ch.would, modeObserve)
	}
	if ch.reservation == nil {
		return ch, ch.refuse(d)
	}
	ch.meter = ch.newMeter()
	return ch, nil
}

// undecided is the failure of a call of which the ledger could not decide.
func undecided(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, quota.ErrClosed):
		return refusal(normalize.ShuttingDown, "")
	case ctx.Err() != nil:
		return err
	}
	return &normalize.Failure{
		Code: normalize.StoreUnavailable, Origin: normalize.OriginProxy, MatchedBy: normalize.MatchedTransport,
		Err: err,
	}
}

// charge returns the charge of a call for which nothing is reserved yet.
func (g *Guard) charge(c *Call) *Charge {
	ch, ok := g.charges.Get().(*Charge)
	if !ok {
		ch = new(Charge)
	}
	ch.begin(g, c)
	return ch
}

// begin makes an empty charge that of a call.
func (ch *Charge) begin(g *Guard, c *Call) {
	ch.guard, ch.call, ch.request = g, *c, quota.Call{Model: c.Label, Client: c.Client}
	if c.HasClient {
		ch.request.ClientLimit, ch.request.CountClient, ch.request.Priority = c.ClientBudget, true, c.Priority
		ch.request.ClientMonth = c.ClientMonth
	}
}

// Fits returns what reports whether c would be reserved at once with a request in place of its own, by what is left
// now. Where nobody is refused, each would.
func (g *Guard) Fits(c *Call) func(workload.Request) bool {
	if !g.On() || g.ledger.Mode() != quota.Enforce {
		return func(workload.Request) bool { return true }
	}
	var ch Charge
	ch.begin(g, c)
	d := g.ledger.Peek(ch.request)
	return func(r workload.Request) bool {
		ch.estimate = g.o.Estimator.Estimate(*ch.call.Model, r)
		return d.Unlimited || ch.bound() <= d.Remaining
	}
}

// RefusesPaid reports whether models that require a Workers Paid plan are refused.
func (g *Guard) RefusesPaid() bool { return g.On() && g.o.FreePlan && g.ledger.Mode() == quota.Enforce }

// checkPlan refuses a model that the free plan does not have. Unless quotas are enforced it only counts, and returns
// the reason for which the call would have been refused.
func (g *Guard) checkPlan(c *Call) (would string, err error) {
	const reason = "plan"
	if !g.o.FreePlan || !c.Model.RequiresWorkersPaid {
		return "", nil
	}
	if !g.RefusesPaid() {
		g.o.Recorder.Preempted(reason, modeObserve, c.Label, c.Client)
		return reason, nil
	}
	g.o.Recorder.Preempted(reason, modeEnforce, c.Label, c.Client)
	f := refusal(normalize.PaidPlanRequired, "The model "+c.ModelText+" requires a Workers Paid plan, and this proxy "+
		"is set up for the free one. If the account is on Workers Paid, set {PLAN}=paid.")
	f.Param, f.MatchedBy = "model", normalize.MatchedBudget
	return "", f
}

// Observe tells the ledger the time by upstream's clock.
func (g *Guard) Observe(date time.Time) {
	if g.On() {
		g.ledger.Observe(date)
	}
}

// Block records that Workers AI refused a call because the account's day is spent: further calls are refused until the
// reset. ch is the charge of that call; nil: it has none.
func (g *Guard) Block(ch *Charge) {
	switch {
	case !g.On():
	case ch != nil && ch.reservation != nil:
		ch.reservation.Refused()
	default:
		g.ledger.Block(time.Time{})
	}
}

// Reset returns when the account's day ends and how long to wait before a call is tried again that Workers AI refused
// because the day is spent.
func (g *Guard) Reset() (at time.Time, retry time.Duration) {
	if g.On() {
		return g.ledger.Reset()
	}
	at = NextMidnight(time.Now())
	return at, time.Until(at)
}

// NextMidnight returns when the day of every account ends: 00:00 UTC.
func NextMidnight(now time.Time) time.Time {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
}
