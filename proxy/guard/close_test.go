package guard

import (
	"testing"

	"github.com/neuronward/neuronward/proxy/meter"
)

// A charge and a meter that had a call before have nothing of it for the next one.
func TestChargesAreUsedAgain(t *testing.T) {
	t.Parallel()
	g := New(Options{})
	used := func(ch *Charge) meter.Report { return ch.Meter().Report() }
	for range 3 {
		ch, err := g.Reserve(t.Context(), &Call{Poll: "p"})
		if err != nil {
			t.Fatal(err)
		}
		if ch.before != 0 {
			t.Fatalf("a new charge has cost %v before, want nothing", ch.before)
		}
		if got := used(ch); got.Usage.HasTokens || got.Model != "" {
			t.Fatalf("a new meter reports %+v, want nothing", got)
		}
		ch.Meter().Write([]byte(`{"model":"m","usage":{"prompt_tokens":7,"completion_tokens":5}}`))
		if got := used(ch); got.Usage.Input != 7 || got.Usage.Output != 5 || got.Model != "m" {
			t.Fatalf("the meter reports %+v, want 7 and 5 tokens of m", got)
		}
		ch.before = 7
		ch.Close()
	}
	(*Charge)(nil).Close()
}
