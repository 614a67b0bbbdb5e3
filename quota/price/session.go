package price

import (
	"cmp"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// SessionCost returns what a session of m over a WebSocket has cost so far, by the table and what the account's own
// figure has shown of the model. A model without a price costs what the dearest of its task does.
func (e *Estimator) SessionCost(m Model, s workload.Session) quota.Neurons {
	minute, characters := m.livePrices()
	if !m.Known {
		for _, row := range cmp.Or(m.table, e.Table()).ofTasks([]workload.Task{m.Task}) {
			each, k := row.livePrices()
			minute, characters = max(minute, each), max(characters, k)
		}
	}
	neurons := max(s.Seconds, 0)/60*minute + float64(max(s.Characters, 0))/1000*characters
	return min(quota.FromFloat(neurons*e.learned.correction(m.Name)), quota.MaxCost)
}

// livePrices returns what a minute of sound given to a model costs over a WebSocket, and 1,000 characters to be spoken.
func (r Row) livePrices() (minute, characters float64) {
	if r.Task == workload.TextToSpeech {
		return 0, r.CharactersPerK
	}
	return (&request{Request: workload.Request{Live: true}}).minutePrice(&r), 0
}
