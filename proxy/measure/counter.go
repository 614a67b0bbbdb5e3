package measure

import (
	"math"

	"github.com/neuronward/neuronward/quota/tokens"
)

const (
	// unasked is how many tokens are counted before Options.Enough is asked how many matter: few bodies have more.
	unasked = 16 << 10

	// countedAtOnce is how many bytes are counted between two looks at whether they are enough.
	countedAtOnce = 64 << 10
)

// A counter counts the tokens of an object, until there are more than matter.
type counter struct {
	tokens.Counter
	upTo int64 // how many matter, as far as it is known
	over bool  // there are more
}

// newCounter returns the counter of an object. The requests of a batch are counted to their ends: what a batch costs
// is a sum, in which each of them has a part.
func newCounter(o Options, inBatch bool) counter {
	if o.Enough == nil || inBatch {
		return counter{upTo: math.MaxInt64}
	}
	return counter{upTo: unasked}
}

// tokens returns the count; 0 where there are more tokens than matter, as where none were counted: the bytes are the
// bound then.
func (c *counter) tokens() int64 {
	if c.over {
		return 0
	}
	return c.Tokens()
}

// count is given the text of the body in pieces.
func (r *reader) count(piece []byte) {
	for len(piece) > 0 && !r.counter.over {
		part := piece[:min(len(piece), countedAtOnce)]
		piece = piece[len(part):]
		r.counter.JSON(part)
		if n := r.counter.Tokens(); n > r.counter.upTo {
			if r.counter.upTo == unasked {
				r.counter.upTo = r.enough()
			}
			r.counter.over = n > r.counter.upTo
		}
	}
}

// enough asks how many tokens matter to the model of the call. Where its name has not been read yet it stands behind
// the prompt, and is looked for: to read the whole body takes a small part of the time that it takes to count it.
func (r *reader) enough() int64 {
	model := r.Model
	if model == "" {
		model = r.j.Model
	}
	if model == "" {
		o := r.Options
		o.Count = false
		if j, err := Scan(r.j.text, o); err == nil {
			model = j.Model
		}
	}
	if n := r.Enough(model); n > 0 {
		return n
	}
	return math.MaxInt64
}
