package guard

import (
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
)

// An Outcome is how an attempt at a call ended: what decides its cost, beside what its meter has read.
type Outcome struct {
	Sent          bool               // upstream may have seen the attempt
	Cached        bool               // an AI Gateway answered from its cache
	Stream        bool               // the call asks for a stream, or was answered by one
	Answered      bool               // upstream sent the headers of a success
	Streaming     bool               // and events, which the caller has or is about to get
	Complete      bool               // the answer was delivered whole
	HeaderNeurons string             // cf-ai-neurons as it came
	RanModel      string             // the model that a router chose, as the answer's headers name it; "": they do not
	Failure       *normalize.Failure // nil: none, or a caller who left before one was found
}

// completed reports whether the call succeeded.
func (o *Outcome) completed() bool { return o.Complete && o.Failure == nil }

// cancelled reports whether the call was cut off from this side: its caller left, this proxy is ending, or a panic is
// on its way up.
func (o *Outcome) cancelled() bool {
	f := o.Failure
	if f == nil {
		return !o.Complete
	}
	return f.Origin != normalize.OriginUpstream && (f.Code == normalize.Aborted || f.Code == normalize.ShuttingDown)
}

// Because names whose figure a cost rests on.
type Because string

// The figures that a cost can rest on, the best first.
const (
	Usage       Because = "usage"       // neurons that the answer itself reported
	Header      Because = "header"      // neurons by cf-ai-neurons
	Tokens      Because = "tokens"      // tokens, seconds or pictures of the answer, at the table's price
	Observed    Because = "observed"    // what had passed of a stream, at the table's price
	Reservation Because = "reservation" // what was reserved, since nothing better is known
	Free        Because = "free"        // nothing was used
)

// verdicts say what an attempt costs. The first row that applies decides, and in it the first figure that is known. The
// last figure of each row is always known.
var verdicts = []struct {
	situation string
	applies   func(*evidence) bool
	figures   []figure
}{
	{"not sent", func(e *evidence) bool { return !e.Sent }, []figure{free}},
	{"answered from a cache", func(e *evidence) bool { return e.Cached }, []figure{free}},

	{"batch accepted, not run yet", (*evidence).batchAccepted, []figure{reserved}},
	{"stream completed", (*evidence).streamCompleted, []figure{usage, header, priced, observed, reserved}},
	{"completed", (*evidence).completed, []figure{usage, header, priced, headerZero, usual}},

	{"cancelled, charged in full as configured", (*evidence).cancelledInFull, []figure{reserved}},
	{"stream cancelled", (*evidence).streamCancelled, []figure{usageAndUnsent, observed, reserved}},
	// What is not streamed runs to its end whether its caller waits or not.
	{"cancelled", (*evidence).cancelled, []figure{usage, header, reserved}},

	// It may have gone on, even where a stream has reported what it used so far.
	{"failed, may have run", failed(normalize.ChargeEstimate), []figure{reserved}},
	{"stream failed", func(e *evidence) bool { return e.Streaming }, []figure{usageAndUnsent, observed, reserved}},
	{"failed, charged what is reported", failed(normalize.ChargeReported), []figure{usage, header, free}},
	{"failed", failed(normalize.ChargeNone), []figure{free}},
}

// verdict returns what an attempt cost, and whose figure that is.
func (ch *Charge) verdict(o Outcome) (quota.Cost, Because) {
	e := evidence{Outcome: o, charge: ch, report: ch.meter.Report()}
	for _, v := range verdicts {
		if !v.applies(&e) {
			continue
		}
		for _, f := range v.figures {
			if cost, ok := f.cost(&e); ok {
				return cost, f.because
			}
		}
	}
	return reservedCost(&e), Reservation // no row is left out, or the tests would say so
}

// evidence is all that a verdict looks at.
type evidence struct {
	Outcome
	charge *Charge
	report meter.Report
}

func (e *evidence) batchAccepted() bool   { return e.completed() && e.report.Queued() }
func (e *evidence) streamCompleted() bool { return e.completed() && e.Streaming }
func (e *evidence) cancelledInFull() bool { return e.cancelled() && e.charge.guard.o.AbortedEstimate }

// streamCancelled reports whether a cancelled call was answered by a stream or, where its answer had not come yet,
// would have been: not every call that asks for a stream gets one.
func (e *evidence) streamCancelled() bool {
	c := &e.charge.call
	wouldStream := e.Stream && !e.Answered && c.Model.Task == quota.TextGeneration && !c.Batch
	return e.cancelled() && (e.Streaming || wouldStream)
}

func failed(charge normalize.Charge) func(*evidence) bool {
	return func(e *evidence) bool { return e.Failure != nil && e.Failure.Code.Entry().Charge == charge }
}
