package price

import (
	"cmp"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// minEstimate is the least that any call is taken to cost: nothing that reaches a
// model is free.
const minEstimate = quota.OneNeuron / 1000

// Mode says how much is reserved for a call.
type Mode uint8

// The modes.
const (
	Tight Mode = iota // the tokens that were counted in the prompt, and answers as long as others without a limit
	Bound             // a token a byte, which no tokenizer passes, and the context window where nothing is a limit
)

// An Estimate is what a call may cost.
type Estimate struct {
	Neurons quota.Neurons // to be reserved
	Bound   quota.Neurons // the same by the table alone, for Estimator.Learn
	Known   bool          // whether the table has the model

	// Foreign says that the bound rests on what the request does not show, such as how long a recording really is, or
	// what upstream remembers: the cost shows nothing about the model.
	Foreign bool
}

// An Estimator says what calls may cost and did cost. It is safe for many
// goroutines.
type Estimator struct {
	mode    Mode
	table   atomic.Pointer[Table]
	learned learned
}

// NewEstimator returns an Estimator by a table; nil stands for the embedded one.
func NewEstimator(t *Table, mode Mode) *Estimator {
	if t == nil {
		t = Embedded()
	}
	e := &Estimator{mode: mode}
	e.table.Store(t)
	return e
}

// SetTable replaces the table. Models that are already resolved keep theirs.
func (e *Estimator) SetTable(t *Table) { e.table.Store(t) }

// Table returns the table in use.
func (e *Estimator) Table() *Table { return e.table.Load() }

// Estimate returns what a call r of m may cost, by the table and by what former
// calls of the model have shown. A batch costs the sum of its
// parts. The result is never zero. A call of a model without a price is bounded by the dearest model of its task, else
// of all tasks that the call may be of.
func (e *Estimator) Estimate(m Model, r workload.Request) Estimate {
	if len(r.Parts) > 0 {
		sum := Estimate{Known: m.Known}
		for _, part := range r.Parts {
			part.Parts = nil // a batch in a batch does not exist
			one := e.Estimate(m, part)
			sum.Neurons, sum.Bound = sum.Neurons.Add(one.Neurons), sum.Bound.Add(one.Bound)
			sum.Foreign = sum.Foreign || one.Foreign
		}
		return sum
	}
	call := request{Request: r, mode: e.mode}
	bound := e.bound(&m, &call)
	neurons := bound
	if f := e.learned.factors(m.Name); f != (factors{}) {
		call.factors = f
		neurons = quota.FromFloat(e.bound(&m, &call).Float() * (1 + f.cost))
	}
	return Estimate{
		Neurons: max(neurons, minEstimate), Bound: bound, Known: m.Known,
		Foreign: r.AudioSeconds > 0 || r.AudioBytes > 0 || r.Unseen > 0 || r.OddLimit,
	}
}

// bound is what a call of m can cost at most by the table. It raises r to the defaults of m.
func (e *Estimator) bound(m *Model, r *request) (n quota.Neurons) {
	switch {
	case m.Known:
		r.raise(&m.Row)
		n = r.bound(&m.Row)
	case m.Task == workload.TextEmbeddings:
		// The price is a guess that is far too high for the models seen: the text need not be bounded on top.
		n = e.dearestTokens(m, workload.Usage{HasTokens: true, Input: textTokens(r.Request)}).Table
	default:
		r.guessed = true
		n = cmp.Or(m.table, e.Table()).dearest(r, r.tasks(m), &m.Row)
	}
	return min(max(n, minEstimate), quota.MaxCost)
}

// unknownTask is what a call is taken for whose model has no price, nor has any other model of its task.
const unknownTask = 50 * quota.OneNeuron

// dearest is the bound of r by the dearest model of these tasks, within the limits of the call's own model.
func (t *Table) dearest(r *request, tasks []workload.Task, own *Row) (bound quota.Neurons) {
	priced := false
	for _, row := range t.ofTasks(tasks) {
		priced = true
		row.ContextWindow, row.DefaultOutput = own.ContextWindow, own.DefaultOutput
		row.SmallVocabulary = own.SmallVocabulary
		sized := *r
		sized.raise(&row)
		bound = max(bound, sized.bound(&row))
	}
	if !priced && len(tasks) > 0 {
		return unknownTask
	}
	return bound
}

// ofTasks yields the models of these tasks that were still answered on the table's date.
func (t *Table) ofTasks(tasks []workload.Task) iter.Seq2[string, Row] {
	return func(yield func(string, Row) bool) {
		for _, name := range t.names {
			row := t.models[name]
			if slices.Contains(tasks, row.Task) && !row.deprecatedOn(t.asOf) && !yield(name, row) {
				return
			}
		}
	}
}
