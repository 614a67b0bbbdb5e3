package meter

// The figures of a usage, in the order in which figures keeps them.
const (
	neuronsFigure = iota
	promptFigure  // prompt_tokens: all of the input
	inputFigure   // input_tokens: all of the input, but in Anthropic's usage without what the cache had to do with
	outputFigure
	cachedFigure    // …_tokens_details.cached_tokens
	cacheReadFigure // Anthropic's
	cacheMadeFigure // Anthropic's
	totalFigure
	numFigures
)

// figures are what one usage says, or several come to. Absent is not zero.
type figures struct {
	has   uint16 // one bit for each that is there
	v     [numFigures]float64
	carry float64 // what a sum of neurons has lost to rounding
}

func (f *figures) there(i int) bool { return f.has&(1<<i) != 0 }

func (f *figures) set(i int, v float64) {
	f.has |= 1 << i
	f.v[i] = v
}

// zero reports whether f says nothing, or nothing but zeros.
func (f *figures) zero() bool {
	return f.has == 0 || f.v == [numFigures]float64{}
}

// tokens returns what f says of tokens. Input counts those that came from the cache: prompt_tokens do so themselves,
// and so do input_tokens but where Anthropic's fields stand beside them.
func (f *figures) tokens() (input, cached, output int64, ok bool) {
	in, total := 0.0, f.v[totalFigure]
	switch {
	case f.there(promptFigure):
		in = f.v[promptFigure]
	case f.there(inputFigure):
		in = f.v[inputFigure] + f.v[cacheReadFigure] + f.v[cacheMadeFigure]
	case f.there(totalFigure) && f.there(outputFigure):
		in = max(total-f.v[outputFigure], 0)
	default:
		return 0, 0, int64(f.v[outputFigure]), false
	}
	out := f.v[outputFigure]
	if !f.there(outputFigure) {
		out = max(total-in, 0)
	}
	return int64(in), int64(min(max(f.v[cachedFigure], f.v[cacheReadFigure]), in)), int64(out), true
}

// add adds an increment. Neurons that an increment with tokens leaves out are missing from the sum, which then has
// none.
func (f *figures) add(g *figures) {
	if g.zero() && !g.there(neuronsFigure) {
		return
	}
	counted := g.there(neuronsFigure) && (f.has == 0 || f.there(neuronsFigure))
	// Neurons are summed with their rounding errors (Neumaier's way): a thousand increments come to what the whole
	// costs.
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

// neurons returns the neurons of f and whether it says any.
func (f *figures) neurons() (float64, bool) {
	return f.v[neuronsFigure] + f.carry, f.there(neuronsFigure)
}

// raise takes a usage of the whole so far, which never falls. One that counts more tokens but says no neurons makes
// older neurons worthless.
func (f *figures) raise(g *figures) {
	more := false
	for i := range numFigures {
		if !g.there(i) {
			continue
		}
		if g.v[i] > f.v[i] || !f.there(i) {
			more = more || i != neuronsFigure && g.v[i] > f.v[i]
			f.set(i, g.v[i])
			if i == neuronsFigure {
				f.carry = 0
			}
		}
	}
	if more && !g.there(neuronsFigure) {
		f.has &^= 1 << neuronsFigure
		f.v[neuronsFigure], f.carry = 0, 0
	}
}

// covers reports whether f, rather than being one more increment, is a total of what sum has seen: it is no less in any
// figure.
func (f *figures) covers(sum *figures) bool {
	const rounding = 1e-9
	for i := range numFigures {
		// Input and output must be there; the rest only counts where both have it.
		needed := i == promptFigure || i == inputFigure || i == outputFigure
		if (needed || f.there(i)) && f.v[i] < sum.v[i]*(1-rounding) {
			return false
		}
	}
	return sum.has != 0
}
