package meter

// The figures of a usage, in the order in which figures keeps them.
const (
	neuronsFigure = iota
	promptFigure  // prompt_tokens: all of the input
	// input_tokens: all of the input, but in Anthropic's usage without the tokens that were read from the cache or
	// written to it.
	inputFigure
	outputFigure
	cachedFigure     // …_tokens_details.cached_tokens
	cacheReadFigure  // Anthropic's
	cacheWriteFigure // Anthropic's
	totalFigure
	numFigures
)

// figures are what one usage reports, or several add up to. Absent is not zero.
type figures struct {
	has   uint16 // one bit for each that is present
	v     [numFigures]float64
	carry float64 // what a sum of neurons has lost to rounding
}

func (f *figures) isSet(i int) bool { return f.has&(1<<i) != 0 }

func (f *figures) set(i int, v float64) {
	f.has |= 1 << i
	f.v[i] = v
}

// zero reports whether f has nothing, or nothing but zeros.
func (f *figures) zero() bool {
	return f.has == 0 || f.v == [numFigures]float64{}
}

// tokens returns the tokens of f, and whether it has any. Input includes those that came from the cache: prompt_tokens
// include them, and so do input_tokens unless Anthropic's fields stand beside them.
func (f *figures) tokens() (input, cached, output int64, ok bool) {
	in, total := 0.0, f.v[totalFigure]
	switch {
	case f.isSet(promptFigure):
		in = f.v[promptFigure]
	case f.isSet(inputFigure):
		in = f.v[inputFigure] + f.v[cacheReadFigure] + f.v[cacheWriteFigure]
	case f.isSet(totalFigure) && f.isSet(outputFigure):
		in = max(total-f.v[outputFigure], 0)
	default:
		return 0, 0, int64(f.v[outputFigure]), false
	}
	out := max(f.v[outputFigure], total-in) // a total may include reasoning that the output leaves out
	return int64(in), int64(min(max(f.v[cachedFigure], f.v[cacheReadFigure]), in)), int64(out), true
}

// hasOutput reports whether f says what the output came to. Neurons beside tokens of the input alone are the input's.
func (f *figures) hasOutput() bool {
	in, _, out, ok := f.tokens()
	return out > 0 || !ok && in == 0 && f.v[neuronsFigure] > 0
}

// add adds an increment. If an increment has tokens but no neurons, the sum would be too low: it has no neurons then.
func (f *figures) add(g *figures) {
	if g.zero() && !g.isSet(neuronsFigure) {
		return
	}
	counted := g.isSet(neuronsFigure) && (f.has == 0 || f.isSet(neuronsFigure))
	// Neurons are summed with their rounding errors (Neumaier's way): a thousand add up to what the whole costs.
	sum, v := f.v[neuronsFigure], g.v[neuronsFigure]
	t := sum + v
	if sum >= v {
		f.carry += sum - t + v
	} else {
		f.carry += v - t + sum
	}
	for i := range numFigures {
		f.v[i] += g.v[i]
	}
	f.has |= g.has
	if !counted {
		f.has &^= 1 << neuronsFigure
	}
}

// neurons returns the neurons of f, and whether it has any.
func (f *figures) neurons() (float64, bool) {
	return f.v[neuronsFigure] + f.carry, f.isSet(neuronsFigure)
}

// raise takes a usage of the whole so far, which never falls. One that has more tokens but no neurons makes the neurons
// of an earlier one obsolete.
func (f *figures) raise(g *figures) {
	more := false
	for i := range numFigures {
		if !g.isSet(i) {
			continue
		}
		if g.v[i] > f.v[i] || !f.isSet(i) {
			more = more || i != neuronsFigure && g.v[i] > f.v[i]
			f.set(i, g.v[i])
			if i == neuronsFigure {
				f.carry = 0
			}
		}
	}
	if more && !g.isSet(neuronsFigure) {
		f.has &^= 1 << neuronsFigure
		f.v[neuronsFigure], f.carry = 0, 0
	}
}

// rising are usages of neurons alone. Nothing tells running totals of them from increments, but that totals rise with
// every event: increments fall after the first, which has the input.
type rising struct {
	n    int
	last float64
	fell bool
}

func (r *rising) add(f *figures) {
	v := f.v[neuronsFigure]
	r.fell = r.fell || f.has != 1<<neuronsFigure || v <= r.last
	r.last = v
	r.n++
}

// total returns the last of them if they are running totals, at least a few of them.
func (r *rising) total() (f figures, ok bool) {
	const few = 4
	if r.fell || r.n < few {
		return f, false
	}
	f.set(neuronsFigure, r.last)
	return f, true
}

// covers reports whether f is a total that includes sum, rather than one more increment: it is no less in any figure.
func (f *figures) covers(sum *figures) bool {
	const rounding = 1e-9
	for i := range numFigures {
		// Input and output are required; the rest only counts where both have it.
		needed := i == promptFigure || i == inputFigure || i == outputFigure
		if (needed || f.isSet(i)) && f.v[i] < sum.v[i]*(1-rounding) {
			return false
		}
	}
	return sum.has != 0
}
