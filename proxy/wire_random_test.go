package proxy

import (
	"fmt"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// What the count may be above the bill: nothing but what a header is rounded by where the answer says all; else by how
// much more tokens a text is counted for than it has, and by the prompt's frame; a second's generation of a stream that
// was cut; all that was reserved where nothing is known.
const (
	wireRounding = neuron / 100
	wireLow      = neuron / 20 // headerLow
	wireFactor   = 2
	wireFrame    = 64 // tokens of the prompt
)

// exception returns why less may be counted than was billed, "" where it may not.
func (w wire) exception() string {
	cut := w.end == endLost || w.end == endOrderly || w.end == endLeft
	json := w.protocol != wireBatch && !w.streams()
	usage := w.reports() && w.end != endFailed && !cut
	switch {
	case w.streams() && cut && w.bill != billMade:
		return "a stream that was cut off is counted by what was made, not by what would have been"
	case json && w.header == headerLow && !usage && !w.refutes():
		// Of the prompt nothing can be said: tokens from a cache are cheap. And failures and vectors have no text.
		return "a header is believed that is no less than a quarter of the text's price, where nothing else is reported"
	}
	return ""
}

// refutes reports whether the text of the answer alone costs more than four times a low header.
func (w wire) refutes() bool {
	return w.end == endWhole && w.price().Tokens(0, 0, int64(w.output)) > 4*(wireLow+neuron/200)
}

// reports reports whether the answer says in tokens or neurons what all of it cost.
func (w wire) reports() bool {
	switch w.usage {
	case usageBoth, usageNeurons, usageTokens, usageZeroNeurons, usageTotal:
		return w.when != timeFirst || !w.streams() || w.protocol != wireChat && w.protocol != wireNative
	case usagePrompt, usageInput:
		return w.protocol == wireEmbeddings
	}
	return false
}

// most is the most that may be counted.
func (w wire) most(r wireResult) quota.Neurons {
	if w.header == headerLow { // which may be too high as well
		return max(w.mostOf(r), wireLow+wireRounding)
	}
	return w.mostOf(r)
}

func (w wire) mostOf(r wireResult) quota.Neurons {
	m := w.price()
	loose := wireFactor*r.made + m.Tokens(wireFrame, 0, 0)
	rising := w.streams() && w.usage == usageNeurons && w.when == timeRunning
	if rising { // three running totals of neurons alone may as well be increments
		loose += r.made
	}
	json := !w.streams() && w.protocol != wireBatch
	switch {
	case w.streams() && w.end != endWhole && r.passed == 0:
		return r.reserved
	case w.streams() && w.end == endFailed:
		return loose
	case w.streams() && w.end != endWhole:
		return loose + m.Tokens(0, 0, wireSecond)
	case json && w.end != endWhole:
		return r.reserved
	case rising:
		return loose
	case w.reports() || json && w.header == headerRight && w.usage != usagePrompt && w.usage != usageInput:
		return r.made + wireRounding
	case w.protocol == wireBatch && (w.usage == usageAbsent || w.usage == usageZeros):
		return r.reserved
	}
	return loose + wireRounding
}

// check runs a wire and holds what was counted against what was billed. It returns what is wrong, "" for nothing.
func (w wire) check(t *testing.T) string {
	t.Helper()
	r := w.run(t)
	least, most := r.billed, w.most(r)
	if w.exception() != "" {
		least = 0
	}
	if r.counted >= least && r.counted <= most {
		return ""
	}
	return fmt.Sprintf("got %v counted, want %v to %v; %v billed, %v reserved\n%#v\n%s", r.counted, least, most,
		r.billed, r.reserved, w, r.log)
}

// Whatever an answer says of its cost, and however it ends, no less is counted than was billed, and not much more.
func TestRandomWire(t *testing.T) {
	const few, bubble = 300, 200 // a virtual day has room for so many
	for first := uint64(1); first <= max(few, *seeds); first += bubble {
		var wrong []string
		virtually(t, func(t *testing.T) {
			for seed := first; seed < first+bubble; seed++ {
				if is := newWire(seed).check(t); is != "" {
					wrong = append(wrong, fmt.Sprintf("seed %d: %s", seed, is))
				}
			}
		})
		for _, is := range wrong {
			t.Error(is)
		}
	}
}
