package price

import "github.com/neuronward/neuronward/quota/workload"

// What an answer is taken for where the call has no limit and the model documents no default for calls of its form.
const (
	unlimitedOutput = 16_384 // of a language model, until enough of its answers were seen
	unknownOutput   = 2048   // of others, and where the price is a guess, which is far too high

	// minUnlimited is the least, whatever was seen.
	minUnlimited = 256

	// margin is how much longer than the longest answer that was seen the next one may be.
	margin = 1.5
)

// outputLimit is what one answer may have in tokens.
func (r *request) outputLimit(row *Row) float64 {
	limit := float64(r.MaxTokens)
	if limit > 0 {
		limit += r.output * max(limit, smallLimit)
	}
	if r.MaxTokens <= 0 || r.MayIgnoreLimit {
		limit = max(limit, r.unlimited(row))
	}
	if r.OddLimit {
		limit = max(limit, row.window())
	}
	return limit
}

// documented reports whether the model documents what limits the answer to a call of this form that sets no limit.
func (r *request) documented(row *Row) bool { return row.DefaultOutput > 0 && !r.NoDefault }

// unlimited is what one answer may have in tokens that the call does not limit: what the model documents, else what was
// seen, else what is rarely passed. Bound takes the context window for the latter two.
func (r *request) unlimited(row *Row) float64 {
	if r.documented(row) {
		return max(float64(row.DefaultOutput), margin*r.byDefault)
	}
	usual := float64(unlimitedOutput)
	switch {
	case row.Task != workload.TextGeneration, r.guessed:
		usual = unknownOutput
	case r.mode == Bound:
		return row.window()
	case r.enough:
		usual = minUnlimited
	}
	return max(usual, margin*r.undocumented)
}
