package price

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestSessionCost(t *testing.T) {
	e := NewEstimator(nil, Tight)
	for _, c := range []struct {
		model  string
		passed workload.Session
		want   quota.Neurons
	}{
		{"@cf/deepgram/nova-3", workload.Session{Seconds: 60}, quota.FromFloat(836.36)},
		{"@cf/deepgram/nova-3", workload.Session{Seconds: 0.5, Characters: 9}, quota.FromFloat(836.36 / 120)},
		{"@cf/deepgram/nova-3", workload.Session{Seconds: -1}, 0},
		{"@cf/deepgram/flux", workload.Session{Seconds: 30}, quota.FromFloat(350)},
		{"@cf/deepgram/aura-1", workload.Session{Characters: 100, Seconds: 9}, quota.FromFloat(136.364)},
		{"@cf/deepgram/aura-2-es", workload.Session{Characters: 1000}, quota.FromFloat(2727.27)},
		{"@cf/pipecat-ai/smart-turn-v2", workload.Session{Seconds: 60}, quota.FromFloat(30.9)},
		{"@cf/deepgram/nova-3", workload.Session{Seconds: 1e300}, quota.MaxCost},
	} {
		if got := e.SessionCost(e.Resolve(c.model), c.passed); got != c.want {
			t.Errorf("%s, %+v: got %v, want %v", c.model, c.passed, got.Float(), c.want.Float())
		}
	}
	// A table without the model: the dearest of its task.
	bare := *Embedded()
	bare.models = map[string]Row{"@cf/deepgram/flux": bare.models["@cf/deepgram/flux"]}
	bare.names = []string{"@cf/deepgram/flux"}
	e.SetTable(&bare)
	got := e.SessionCost(e.Resolve("@cf/deepgram/nova-3"), workload.Session{Seconds: 60})
	if want := quota.FromFloat(700); got != want {
		t.Errorf("without a price: got %v, want %v", got.Float(), want.Float())
	}
}
