package guard

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

type noRecorder struct{}

func (noRecorder) Preempted(_, _, _, _ string)           {}
func (noRecorder) Spent(string, string, string, float64) {}
func (noRecorder) EstimateRatio(string, float64)         {}
func (noRecorder) Tokens(string, string, int64)          {}

// A call from its reservation to what it cost, with an answer of each kind.
func BenchmarkSettle(b *testing.B) {
	ledger, err := quota.New(b.Context(), quota.Options{
		Store: memstore.New(nil), Limit: quota.MaxCost, Heartbeat: time.Hour,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = ledger.Close(context.Background()) }()
	g := New(Options{Ledger: ledger, Estimator: price.NewEstimator(nil, price.Bound), Recorder: noRecorder{}})
	answered := Outcome{Sent: true, Answered: true, Complete: true}
	streamed, left := answered, answered
	streamed.Stream, streamed.Streaming = true, true
	left.Stream, left.Streaming, left.Complete = true, true, false
	const usage = `"usage":{"prompt_tokens":9,"completion_tokens":1,"neurons":0.5}`
	text := strings.Repeat("some words of an answer ", 40)
	for _, c := range []struct {
		name   string
		answer string
		event  string // ten of them
		o      Outcome
	}{
		{"answer that reports", `{"result":{"response":"Hi",` + usage + `}}`, "", answered},
		{"answer of text alone", `{"result":{"response":"` + text + `"}}`, "", answered},
		{"stream that reports", "", `{"choices":[{"index":0,"delta":{"content":" token"}}],` + usage + `}`, streamed},
		{"cancelled stream", "", `{"response":" token"}`, left},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			answer, event := []byte(c.answer), []byte(c.event)
			call := callOf(g, llama)
			for b.Loop() {
				ch, err := g.Reserve(context.Background(), call)
				if err != nil {
					b.Fatal(err)
				}
				if c.event == "" {
					ch.Meter().Write(answer)
				} else {
					for range 10 {
						ch.Meter().Data(event)
						ch.Meter().EndEvent()
					}
				}
				if s := ch.Settle(c.o); s == nil || s.Neurons == 0 {
					b.Fatalf("got the settlement %+v, want one that costs", s)
				}
			}
		})
	}
}
