package guard

import (
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/meter"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// An Outcome is how an attempt at a call ended: what decides its cost, beside what its meter has read.
type Outcome struct {
	Sent          bool               // upstream may have seen the attempt
	Cached        bool               // an AI Gateway answered from its cache
	Stream        bool               // the call asks for a stream, or was answered by one
	Answered      bool               // upstream sent the headers of a success
	Streaming     bool               // and events, which the caller has or is about to get
	Streamed      time.Duration      // from the first event to the end
	Complete      bool               // the answer was delivered whole
	HeaderNeurons string             // cf-ai-neurons as received
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
	Tokens      Because = "tokens"      // tokens, seconds or pictures of the answer, at the table's price
	Header      Because = "header"      // neurons by cf-ai-neurons
	Observed    Because = "observed"    // what had passed of the answer, at the table's price
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
	{
		"stream completed", (*evidence).streamCompleted,
		[]figure{usage, larger(tokenCost, header), larger(observed, header), header, counted, reserved},
	},
	{"completed", (*evidence).completed, []figure{usage, larger(tokenCost, header), header, counted, observed, usual}},

	{"cut off, charged in full as configured", (*evidence).cutOffInFull, []figure{reserved}},
	// A stream that says itself that it failed ends there.
	{"stream failed", (*evidence).streamFailed, []figure{usage, observed, reserved}},
	{"stream cut off", (*evidence).streamCutOff, []figure{usageAndMade, observedAndMade, reserved}},
	// What is not streamed runs to its end whether its caller waits or not.
	{"cancelled", (*evidence).cancelled, []figure{usage, header, reserved}},

	{"failed, may have run", failed(normalize.ChargeEstimate), []figure{reserved}},
	{
		"failed after a success", (*evidence).failedAfterSuccess,
		[]figure{usage, larger(tokenCost, header), wholeHeader, reserved},
	},
	{
		"failed for an unknown reason", (*evidence).failedUnknown,
		[]figure{usage, larger(tokenCost, header), wholeHeader, reserved},
	},
	{
		"failed, charged what is reported", failed(normalize.ChargeReported),
		[]figure{usage, larger(tokenCost, header), header, free},
	},
	{"failed", failed(normalize.ChargeNone), []figure{free}},
}

// verdict returns what an attempt cost, and whose figure that is.
func (ch *Charge) verdict(o Outcome) (quota.Cost, Because) {
	ch.evidence = evidence{Outcome: o, charge: ch, report: ch.meter.Report()}
	e := &ch.evidence
	for _, v := range verdicts {
		if !v.applies(e) {
			continue
		}
		for _, known := range v.figures {
			if cost, because, ok := known(e); ok {
				return cost, because
			}
		}
	}
	return reservedCost(e), Reservation // no row is left out, or the tests would say so
}

// evidence is all that a verdict looks at.
type evidence struct {
	Outcome
	charge *Charge
	report meter.Report
}

func (e *evidence) batchAccepted() bool   { return e.completed() && e.report.Queued() }
func (e *evidence) streamCompleted() bool { return e.completed() && e.Streaming }

// streamCutOff reports whether a stream ended before its end: by its caller, by this proxy, or by a broken connection.
// A call that asks for a stream and was cancelled before its answer came would have been one; not every call that asks
// for a stream gets one.
func (e *evidence) streamCutOff() bool {
	c := &e.charge.call
	wouldStream := e.Stream && !e.Answered && c.Model.Task == workload.TextGeneration && !c.Batch
	return e.Streaming && !e.completed() || wouldStream && e.cancelled()
}

func (e *evidence) cutOffInFull() bool {
	return e.charge.guard.o.Aborted == Estimate && (e.cancelled() || e.streamCutOff() && !e.streamFailed())
}

// streamFailed reports whether upstream ended a stream by a failure of which it is known that nothing goes on.
func (e *evidence) streamFailed() bool {
	f := e.Failure
	return e.Streaming && f != nil && f.Origin == normalize.OriginUpstream &&
		f.Code.Entry().Charge != normalize.ChargeEstimate
}

// failedAfterSuccess reports whether upstream announced a success and then sent a failure that may have run.
func (e *evidence) failedAfterSuccess() bool {
	return e.Answered && e.Failure != nil && e.Failure.Code.Entry().Charge == normalize.ChargeReported
}

// failedUnknown reports whether upstream failed with a status that does not say whether the call has run: one of 4xx
// without a known code, or 520.
func (e *evidence) failedUnknown() bool { return e.Failure != nil && saysNothing(e.Failure) }

func saysNothing(f *normalize.Failure) bool {
	if f.Upstream == nil || f.Code.Entry().Charge != normalize.ChargeReported {
		return false
	}
	status := f.Upstream.Status
	return status == unknownError || f.Code == normalize.Unclassified && status/100 == 4
}

// MayHaveRun reports whether a call that failed so may have run and been billed, if upstream has seen it. An answer
// that does not fit its schema was made, and paid for.
func MayHaveRun(f *normalize.Failure) bool {
	return f.Code.Entry().Charge == normalize.ChargeEstimate || f.Code == normalize.StructuredOutputFailed ||
		saysNothing(f)
}

// unknownError is Cloudflare's status for an answer of the origin that it can't make sense of.
const unknownError = 520

func failed(charge normalize.Charge) func(*evidence) bool {
	return func(e *evidence) bool { return e.Failure != nil && e.Failure.Code.Entry().Charge == charge }
}
