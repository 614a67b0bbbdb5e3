package price

import "github.com/neuronward/neuronward/quota"

// countedLow is how far a counted text may be below its tokens, in hundredths.
const countedLow = 15

// Room returns how many tokens the context window of a model has for its output beside the prompt of q, at most most.
// Where the prompt may be too large for most, counted says how many tokens it has; the requests of a batch are taken
// for a token a byte. Of a model without a known window there is room for most.
func (r Row) Room(q quota.Request, most int64, counted func() int64) int64 {
	if r.ContextWindow <= 0 {
		return most
	}
	room := func(q quota.Request, tokens int64) int64 {
		q.Unseen = 0 // nobody knows what upstream fetches
		return r.ContextWindow - templateTokens - r.SentTokens(q, tokens)/max(q.Calls, 1)
	}
	for _, part := range q.Parts {
		most = min(most, room(part, part.PromptBytes))
	}
	if len(q.Parts) > 0 || room(q, q.PromptBytes) >= most {
		return most
	}
	tokens := counted()
	return min(most, room(q, tokens+tokens*countedLow/100))
}
