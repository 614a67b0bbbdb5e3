package guard

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// When calls that name no limit of output hold more than half of the account's limit, that is told once a day.
func TestCallsWithoutALimitAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		estimator := price.NewEstimator(nil, price.Bound)
		g := New(Options{
			Estimator: estimator, Recorder: &recorder{},
			OnNoLimit: func(held, limit quota.Neurons) {
				told++
				if held <= limit/2 || held > limit {
					t.Errorf("told %v of %v, want more than half", held, limit)
				}
			},
		})
		limited, unlimited := *callOf(g, llama), *callOf(g, llama)
		limited.Request.MaxTokens, unlimited.Request.MaxTokens = 100, 0
		limited.LimitField, unlimited.LimitField = "max_tokens", "max_tokens"
		other := unlimited // a call that can set none
		other.LimitField = ""
		each := estimator.Estimate(*unlimited.Model, unlimited.Request).Neurons
		ledger, err := quota.New(t.Context(), quota.Options{
			Store: memstore.New(nil), Limit: 4 * each, Heartbeat: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ledger.Close(context.Background())
		g.o.Ledger, g.ledger = ledger, ledger
		var held []*Charge
		for _, step := range []struct {
			name string
			call Call
			let  bool // the calls before have ended
			wait time.Duration
			want int // times it was told
		}{
			{"one of four", unlimited, false, 0, 0},
			{"two", unlimited, false, 0, 0},
			{"a third, with a limit", limited, false, 0, 0},
			{"two again", unlimited, true, 0, 0},
			{"and one that can set none", other, false, 0, 0},
			{"one more", unlimited, false, 0, 0},
			{"three", unlimited, false, 0, 1},
			{"two, the day after", unlimited, true, 24 * time.Hour, 1},
			{"two more", unlimited, false, 0, 1},
			{"three on that day", unlimited, false, 0, 2},
			{"four", unlimited, false, 0, 2},
		} {
			time.Sleep(step.wait)
			if step.let {
				for _, ch := range held {
					ch.Release()
				}
				held = nil
			}
			ch, err := g.Reserve(t.Context(), &step.call)
			if err != nil {
				t.Fatalf("%s: got %v, want a reservation", step.name, err)
			}
			held = append(held, ch)
			if told != step.want {
				t.Errorf("%s: told %d times, want %d", step.name, told, step.want)
			}
		}
		for _, ch := range held {
			ch.Release()
		}
		if got := g.noLimit.held.Load(); got != 0 {
			t.Errorf("held after all have ended: got %d, want 0", got)
		}
	})
}
