package meter

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/proxy/workersai/simtest"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

const newerModel = "@cf/qwen/qwen3-30b-a3b-fp8" // it streams in the newer form

// A billing is a simulator and the last call that it billed.
type billing struct {
	sim       http.Handler
	call      workersai.Call
	estimator *price.Estimator
}

func newBilling() *billing {
	b := &billing{estimator: price.NewEstimator(nil, price.Bound)}
	b.sim = workersai.New(workersai.Options{OnCall: func(c workersai.Call) { b.call = c }})
	return b
}

// meter meters the answer to a call.
func (b *billing) meter(t *testing.T, path, body string, header ...string) *Meter {
	t.Helper()
	b.call = workersai.Call{}
	w := simtest.Call(t, b.sim, path, body, header...)
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		return stream(w.Body.String())
	}
	m := New()
	if _, err := io.Copy(writerFunc(m.Write), w.Body); err != nil {
		t.Fatal(err)
	}
	return m
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// wantPrice checks that a usage without neurons has the price that was billed.
func (b *billing) wantPrice(t *testing.T, model string, u workload.Usage) {
	t.Helper()
	if b.call.Neurons == 0 {
		t.Errorf("%s: got nothing billed, want a price", model)
	}
	cost, ok := b.estimator.Cost(b.estimator.Resolve(model), u)
	if !ok || cost.Neurons != b.call.Neurons {
		t.Errorf("%s: got a price of %d millionths (%v) for %+v, want the %d that were billed",
			model, int64(cost.Neurons), ok, u, int64(b.call.Neurons))
	}
}

// What the Meter reads is what the simulator has billed, for each task and protocol whose answer reports its cost.
func TestSimulatedAnswers(t *testing.T) {
	b := newBilling()
	for _, c := range simtest.Shapes() {
		if !c.ReportsUsage {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			m := b.meter(t, c.Path, c.Body, "x-session-affinity", "s")
			got, want := m.Report(), b.call
			if n := quota.FromFloat(got.Usage.Neurons); !got.Usage.HasNeurons || n != want.Neurons {
				t.Errorf("got %d millionths of a neuron (%v), want the %d that were billed",
					int64(n), got.Usage.HasNeurons, int64(want.Neurons))
			}
			u := got.Usage
			u.Neurons, u.HasNeurons = 0, false
			if u != ofTokens(want.Input, want.Cached, want.Output) {
				t.Errorf("got %+v, want the tokens of %+v", u, want)
			}
			if want.Stream && got.ObservedInput != want.Input {
				t.Errorf("got %d tokens observed in the prompt, want %d", got.ObservedInput, want.Input)
			}
			if want.Stream {
				wantObserved(t, got.ObservedOutput, want.Output)
			}
			b.wantPrice(t, want.Model, u)
		})
	}
}

// wantObserved checks what was counted of a text whose tokens are words: no less, and a few for each word, since long
// words are several tokens in truth.
func wantObserved(t *testing.T, got, billed int64) {
	t.Helper()
	if got < billed || got > 4*billed+4 {
		t.Errorf("got %d output tokens observed, want %d to %d", got, billed, 4*billed+4)
	}
}

func TestSimulatedSpeech(t *testing.T) {
	b := newBilling()
	audio := `{"audio":"` + base64.StdEncoding.EncodeToString(make([]byte, 100_000)) + `"}`
	for _, model := range []string{"@cf/openai/whisper", "@cf/openai/whisper-large-v3-turbo", "@cf/deepgram/nova-3"} {
		u := b.meter(t, "run/"+model, audio).Report().Usage
		if u.HasNeurons {
			t.Errorf("%s: got neurons in %+v, want a duration alone", model, u)
		}
		b.wantPrice(t, model, u)
	}
}

func TestSimulatedImage(t *testing.T) {
	m := newBilling().meter(t, "run/@cf/black-forest-labs/flux-1-schnell", `{"prompt":"a cat"}`)
	wantReport(t, "in JSON", m, Report{Usage: workload.Usage{Images: 1, HasImages: true}})
}

func TestSimulatedBatch(t *testing.T) {
	b := newBilling()
	path := "run/" + simtest.Model + "?queueRequest=true"
	submitted := b.meter(t, path, `{"requests":[{"prompt":"one two"},{"prompt":"three"}]}`).Report()
	billed := b.call.Neurons
	if submitted.BatchID == "" || !submitted.Queued() {
		t.Fatalf("submitted: got %+v, want a queued batch", submitted)
	}
	if billed == 0 {
		t.Fatalf("submitted: got %v billed, want some", billed)
	}
	poll := `{"request_id":"` + submitted.BatchID + `"}`
	first := b.meter(t, path, poll)
	wantReport(t, "first poll", first, Report{BatchID: submitted.BatchID, BatchStatus: "queued"})
	second := b.meter(t, path, poll).Report()
	if second.BatchStatus != "completed" {
		t.Errorf("second poll: got status %q, want completed", second.BatchStatus)
	}
	if got := quota.FromFloat(second.Usage.Neurons); got != billed {
		t.Errorf("second poll: got %d millionths of a neuron, want the %d that were billed", int64(got), int64(billed))
	}
}

func TestSimulatedStreamsThatBreak(t *testing.T) {
	b := newBilling()
	for _, c := range []struct{ path, model string }{
		{"run/" + simtest.Model, simtest.Model},
		{"run/" + newerModel, newerModel},
		{"v1/chat/completions", simtest.Model},
		{"v1/chat/completions", newerModel},
		{"v1/messages", simtest.Model},
	} {
		t.Run(c.path+" "+c.model, func(t *testing.T) {
			body := `{"model":"` + c.model + `",` + simtest.Messages + `,"stream":true}`
			r := b.meter(t, c.path, body, workersai.SimulateHeader, "midstream=end; after=9").Report()
			wantObserved(t, r.ObservedOutput, b.call.Output-1) // the event that did not come was billed
			if r.ObservedInput != 0 && r.ObservedInput != b.call.Input {
				t.Errorf("got %d input tokens observed, want none or %d", r.ObservedInput, b.call.Input)
			}
			if want := c.model == newerModel; r.Usage.HasNeurons != want {
				t.Errorf("got neurons %v, want %v: %+v", r.Usage.HasNeurons, want, r.Usage)
			}
		})
	}
}
