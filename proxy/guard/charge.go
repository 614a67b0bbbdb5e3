package guard

import (
	"context"
	"slices"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A Charge is what one call has to do with the ledger. The nil Charge is that of a call that is not metered.
type Charge struct {
	guard       *Guard
	meter       *meter.Meter // reads what the present attempt costs; nil: nothing is reserved
	call        Call
	estimate    price.Estimate
	request     quota.Call // to the ledger
	decision    quota.Decision
	decided     time.Time          // by the machine's monotonic clock
	would       string             // the reason for which the call would have been refused; "": it would not
	reservation *quota.Reservation // nil: none is held
	before      quota.Neurons      // what earlier attempts cost
	held        quota.Neurons      // reserved without a limit of output
	evidence    evidence           // of the present attempt
	session     bool               // a Session refers to it
	settlement  Settlement
}

// A Settlement is what a call cost, with all its attempts.
type Settlement struct {
	Neurons quota.Neurons
	Basis   quota.Basis
	Because Because // whose figure the cost of the last attempt rests on
}

// reserve asks the ledger for what the call may cost.
func (ch *Charge) reserve(ctx context.Context) (quota.Decision, error) {
	res, d, err := ch.guard.ledger.Reserve(ctx, ch.request)
	ch.reservation, ch.decision, ch.decided = res, d, time.Now()
	if res != nil {
		ch.hold()
	}
	return d, err
}

// newMeter returns the meter of an attempt.
func (ch *Charge) newMeter() *meter.Meter {
	m := ch.guard.meter()
	if model := ch.call.Model; model != nil && model.SmallVocabulary {
		m.SmallVocabulary()
	}
	return m
}

// Close gives back the memory of a charge that is settled, or released. The charge, its meter and its settlement must
// not be used afterwards. The charge of a Session is left to that.
func (ch *Charge) Close() {
	if ch == nil {
		return
	}
	g := ch.guard
	if ch.meter != nil {
		g.meters.Put(ch.meter)
		ch.meter = nil
	}
	if !ch.session {
		*ch = Charge{}
		g.charges.Put(ch)
	}
}

// Decision returns what the ledger said last of the budget that matters to the call, and when.
func (ch *Charge) Decision() (d quota.Decision, at time.Time) {
	if ch == nil {
		return d, at
	}
	return ch.decision, ch.decided
}

// Waited returns how long the call waited for neurons when it last asked for them.
func (ch *Charge) Waited() time.Duration {
	if ch == nil {
		return 0
	}
	return ch.decision.Waited
}

// WouldRefuse returns the reason for which the call would have been refused were quotas enforced; "": it would not.
func (ch *Charge) WouldRefuse() string {
	if ch == nil {
		return ""
	}
	return ch.would
}

// Meter returns the meter of the present attempt; nil: its answer need not be read.
func (ch *Charge) Meter() *meter.Meter {
	if ch == nil {
		return nil
	}
	return ch.meter
}

// Blocked refuses a call that waited while Workers AI said that the account's day is spent.
func (ch *Charge) Blocked() *normalize.Failure {
	if ch == nil || ch.reservation == nil {
		return nil
	}
	d, blocked := ch.reservation.Blocked()
	if !blocked {
		return nil
	}
	ch.decision, ch.decided = d, time.Now()
	return ch.refuse(d)
}

// Accepted says that Workers AI took the call: the account can spend.
func (ch *Charge) Accepted() {
	if ch != nil && ch.reservation != nil {
		ch.reservation.Accepted()
	}
}

// Attempt settles a failed attempt that another follows. Where it cost nothing, as is usual, its reservation is kept
// for the next one.
func (ch *Charge) Attempt(o Outcome) {
	if ch == nil {
		return
	}
	if ch.reservation != nil {
		if cost, _ := ch.verdict(o); cost.Neurons > 0 {
			ch.reservation.Settle(cost)
			ch.letGo()
			ch.reservation = nil
			ch.before = ch.before.Add(cost.Neurons)
			ch.spent(cost)
		}
	}
	if ch.meter != nil {
		ch.meter = ch.newMeter()
	}
}

// Renew reserves for another attempt where the one before used the reservation up. It reports whether there was enough.
func (ch *Charge) Renew(ctx context.Context) bool {
	if ch == nil || ch.request.Estimate == 0 || ch.reservation != nil { // not metered, or still reserved
		return true
	}
	_, err := ch.reserve(ctx)
	return err == nil && ch.reservation != nil
}

// Release ends a call that was never made.
func (ch *Charge) Release() {
	if ch != nil && ch.reservation != nil {
		ch.reservation.Release()
		ch.letGo()
	}
}

// Settle books what the call cost, however it ended. It needs no context of the caller's: a cancelled call is still
// charged. It must be called once, for calls that were made; it returns nil where nothing was reserved.
func (ch *Charge) Settle(o Outcome) *Settlement {
	if ch == nil {
		return nil
	}
	if ch.call.Poll != "" {
		ch.settleBatch(o)
		return nil
	}
	if ch.call.Routed {
		return ch.settleRouted(o)
	}
	if ch.reservation == nil {
		if ch.meter != nil {
			ch.noteBatch(ch.meter.Report(), 0, 0)
		}
		return nil
	}
	g := ch.guard
	cost, because := ch.verdict(o)
	day := ch.reservation.Settle(cost)
	ch.letGo()
	ch.spent(cost)
	r := ch.meter.Report()
	if o.completed() && !o.Cached {
		if cost.Basis != quota.Estimated {
			g.o.Recorder.EstimateRatio(ch.task(), cost.Neurons.Float()/ch.reservation.Neurons().Float())
		}
		ch.learn(r, cost)
	}
	if o.completed() && o.Streaming {
		g.speeds.observe(ch.request.Model, r.ObservedOutput, o.Streamed)
	}
	ch.countTokens(ch.request.Model, r.Usage)
	ch.noteBatch(r, day, cost.Neurons)
	ch.settlement = Settlement{Neurons: ch.before.Add(cost.Neurons), Basis: cost.Basis, Because: because}
	return &ch.settlement
}

// learn takes up what the answer reports. What several attempts of AI Gateway came to says nothing of one.
func (ch *Charge) learn(r meter.Report, cost quota.Cost) {
	if ch.call.Attempts > 1 {
		return
	}
	told := price.Told{Neurons: r.Usage.Neurons}
	if r.Usage.HasTokens {
		told.Input, told.Cached, told.Output = r.Usage.Input, r.Usage.Cached, r.ReportedOutput
	}
	if !r.Usage.HasNeurons && cost.Basis == quota.Reported { // by the header, which is rounded
		told.Neurons = max(cost.Neurons.Float()-2*cutOff, 0)
	}
	c := ch.guard.o.Estimator.Learn(*ch.call.Model, ch.call.Request, ch.estimate, told)
	if c != (quota.Calibration{}) {
		ch.reservation.Calibrate(c)
	}
}

// noteBatch remembers whose batch the call has submitted, and what it was charged.
func (ch *Charge) noteBatch(r meter.Report, day quota.Day, charged quota.Neurons) {
	if r.Queued() && !ch.call.OfBatch {
		ch.guard.batches.add(quota.Batch{
			ID: r.BatchID, Day: day, Model: ch.request.Model, Client: ch.request.Client, Charged: charged,
		}, ch.call.Began)
	}
}

// settleBatch corrects a batch by the first poll that finds it done. Further polls, and those of batches that were not
// submitted here, change nothing, nor does a report of nothing: a batch that ran has cost something.
func (ch *Charge) settleBatch(o Outcome) {
	r := ch.meter.Report()
	u := r.Usage
	if !o.completed() || r.Cut || !r.Done() || u.Neurons <= 0 && u.Input+u.Output <= 0 {
		return
	}
	g := ch.guard
	cost, ok := g.o.Estimator.Cost(*ch.call.Model, u)
	if !ok {
		return
	}
	b, ok := g.batches.settle(ch.call.Poll)
	if !ok {
		return
	}
	cost.Neurons = cost.Neurons.Add(ch.call.Model.Tokens(0, 0, r.Unreported))
	call := ch.request // with the limits of today
	if b.Client != call.Client {
		call = quota.Call{Client: b.Client} // there was no clients file, or there is none any more
	}
	call.Model = b.Model
	g.ledger.CorrectBatch(call, b, cost)
	if more := cost.Neurons - b.Charged; more > 0 {
		g.o.Recorder.Spent(b.Model, b.Client, cost.Basis.String(), more.Float())
	}
	ch.countTokens(b.Model, u)
}

func (ch *Charge) spent(cost quota.Cost) {
	ch.guard.o.Recorder.Spent(ch.request.Model, ch.request.Client, cost.Basis.String(), cost.Neurons.Float())
}

func (ch *Charge) countTokens(model string, u workload.Usage) {
	if !u.HasTokens {
		return
	}
	r := ch.guard.o.Recorder
	r.Tokens(model, "input", u.Input-u.Cached)
	r.Tokens(model, "cached_input", u.Cached)
	r.Tokens(model, "output", u.Output)
}

// task is the task of the call's model, as a label.
func (ch *Charge) task() string {
	if task := ch.call.Model.Task; slices.Contains(workload.Tasks(), task) {
		return string(task)
	}
	return "other"
}
