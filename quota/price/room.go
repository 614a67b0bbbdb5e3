package price

import "github.com/neuronward/neuronward/quota/workload"

// countedLow is how far the count of a text's tokens may be below them, in hundredths.
const countedLow = 15

// Room returns how many tokens the context window of a model has for its output beside the prompt of q, or beside the
// longest one of a batch; at most most. Of a model without a known window there is room for most.
func (r Row) Room(q workload.Request, most int64) int64 {
	if r.ContextWindow <= 0 {
		return most
	}
	for _, part := range q.Parts {
		most = min(most, r.Room(part, most))
	}
	if len(q.Parts) > 0 {
		return most
	}
	q.Unseen = 0 // nobody knows what upstream fetches
	q.PromptTokens += q.PromptTokens * countedLow / 100
	return min(most, r.ContextWindow-templateTokens-r.promptSize(q)/max(q.Calls, 1))
}
