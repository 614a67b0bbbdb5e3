package workersai

import (
	"encoding/json"
	"sync"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	maxBatches  = 256  // kept until they are asked for; the oldest goes first
	maxRequests = 1000 // in one batch
)

// batches are the calls in the queue.
type batches struct {
	mu    sync.Mutex
	queue map[string]*batch
	order []string
}

// batch is one submission. It is queued until it was asked for once.
type batch struct {
	model  string
	polls  int
	result json.RawMessage
}

type batchStatus struct {
	Status string `json:"status"`
	ID     string `json:"request_id"`
	Model  string `json:"model"`
}

type batchResponse struct {
	ID        int    `json:"id"`
	Reference string `json:"external_reference,omitempty"`
	Result    any    `json:"result"`
	Success   bool   `json:"success"`
}

// queued reports whether the call is for the queue.
func (x *exchange) queued() bool {
	return x.route.surface == surfaceNative && x.r.URL.Query().Get("queueRequest") == "true"
}

// queue answers POST run with queueRequest=true: a submission or a poll.
func (x *exchange) queue() *failure {
	if id, ok, f := x.in.text("request_id"); ok || f != nil {
		if f != nil {
			return f
		}
		return x.poll(id)
	}
	if !x.in.has("requests") {
		return badInput("required properties at '/' are 'requests'")
	}
	var requests []fields
	if json.Unmarshal(x.in["requests"], &requests) != nil {
		return mismatch("requests", x.in["requests"], "array")
	}
	if len(requests) == 0 || len(requests) > maxRequests {
		return badInput("'/requests' must hold 1 to %d items", maxRequests)
	}
	result, f := x.runBatch(requests)
	if f != nil {
		return f
	}
	x.s.batches.put(x.id, &batch{model: x.model.name, result: result})
	x.settle()
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("cf-ai-req-id", x.id)
	x.write(200, compact(wrap(batchStatus{Status: "queued", ID: x.id, Model: x.model.name})))
	return nil
}

// runBatch answers all requests and bills them together.
func (x *exchange) runBatch(requests []fields) (json.RawMessage, *failure) {
	var sum usage
	var neurons quota.Neurons
	responses := make([]batchResponse, len(requests))
	for i, in := range requests {
		reference, _, f := in.text("external_reference")
		if f != nil {
			return nil, f
		}
		x.in = in
		result, f := x.batched()
		if f != nil {
			return nil, f
		}
		responses[i] = batchResponse{ID: i, Reference: reference, Result: result, Success: true}
		sum.Prompt += x.usage.Prompt
		sum.Completion += x.usage.Completion
		sum.Total += x.usage.Total
		neurons = neurons.Add(x.neurons)
	}
	sum.Neurons = neurons.Float()
	x.usage = sum
	x.spend(neurons)
	return compact(struct {
		Responses []batchResponse `json:"responses"`
		Usage     usage           `json:"usage"`
	}{responses, sum}), nil
}

// batched returns the result of one request of a batch.
func (x *exchange) batched() (any, *failure) {
	switch x.model.task {
	case workload.TextGeneration:
		p, f := x.readPrompt()
		if f != nil {
			return nil, f
		}
		r, f := x.think(p)
		if f != nil {
			return nil, f
		}
		return x.nativeResult(r), nil
	case workload.TextEmbeddings:
		texts, ok, f := x.in.texts("text")
		if f != nil {
			return nil, f
		}
		if !ok {
			return nil, badInput("required properties at '/' are 'text'")
		}
		vectors, f := x.embed("text", texts)
		return embeddingResult{Shape: [2]int{len(vectors), x.dimensions()}, Data: vectors, Pooling: "cls"}, f
	}
	return nil, badInput("%s takes no batches", x.model.name)
}

// poll answers for a submission: queued at first, then its results for as long as
// they are kept.
func (x *exchange) poll(id string) *failure {
	b, first := x.s.batches.get(id, x.model.name)
	if b == nil {
		return refuse(5504)
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("cf-ai-req-id", x.id)
	if first {
		x.write(200, compact(wrap(batchStatus{Status: "queued", ID: id, Model: b.model})))
		return nil
	}
	x.write(200, compact(wrap(b.result)))
	return nil
}

func (q *batches) put(id string, b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queue == nil {
		q.queue = make(map[string]*batch)
	}
	if len(q.order) >= maxBatches {
		delete(q.queue, q.order[0])
		q.order = q.order[1:]
	}
	q.queue[id] = b
	q.order = append(q.order, id)
}

// get returns a batch of a model, nil if there is none, and whether it was never
// asked for before.
func (q *batches) get(id, model string) (*batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.queue[id]
	if b == nil || b.model != model {
		return nil, false
	}
	b.polls++
	return b, b.polls == 1
}
