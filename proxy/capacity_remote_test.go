package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/breaker"
)

// Two replicas tell each other of breakers: what one finds out saves the other the calls, in both directions.
func TestBreakersOfTwoReplicas(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var calls atomic.Int64
		var capacity, cut atomic.Bool
		var two [2]*Proxy
		for i := range two {
			config := testConfig(t.Output())
			config.Retries, config.RetryBudget = 1, 1e-9
			config.OnCapacity = func(model string, free bool) {
				if !cut.Load() {
					two[1-i].RemoteCapacity(model, free)
				}
			}
			config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if capacity.Load() {
					answerJSON(200, chatAnswer)(w, r)
					return
				}
				answerJSON(429, noCapacity)(w, r)
			})}
			p, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			two[i] = p
		}
		first, second := two[0], two[1]
		cut.Store(true)
		shutOff(t, first)
		wantOpen(t, first, 1)
		wantOpen(t, second, 0)
		// The message that was lost comes again with the next trial.
		cut.Store(false)
		time.Sleep(breaker.MinPause)
		through(first, t.Context(), chat)
		before := calls.Load()
		w := through(second, t.Context(), chat)
		if n := calls.Load() - before; n != 0 {
			t.Errorf("the second: got %d calls sent, want none", n)
		}
		if want := `"` + normalize.OutOfCapacity.String() + `"`; !strings.Contains(w.Body.String(), want) {
			t.Errorf("the second: got %s, want %s in it", w.Body, want)
		}
		capacity.Store(true)
		time.Sleep(2 * breaker.MinPause)
		if w := through(second, t.Context(), chat); w.Code != http.StatusOK {
			t.Errorf("the second's trial: got status %d, want 200", w.Code)
		}
		wantOpen(t, first, 0)
		wantOpen(t, second, 0)
		if w := through(first, t.Context(), chat); w.Code != http.StatusOK {
			t.Errorf("the first: got status %d, want 200", w.Code)
		}
	})
}

// A message of another replica that is wrong, malformed or old does no harm.
func TestWrongRemoteCapacity(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(t.Output())
		config.Retries, config.RetryBudget = 1, 1e-9
		config.Transport = inMemory{answerJSON(200, chatAnswer)}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		p.RemoteCapacity("", false)
		p.RemoteCapacity(strings.Repeat("m", maxSharedModel+1), false)
		p.RemoteCapacity(testModel, true)
		wantOpen(t, p, 0)
		p.RemoteCapacity(testModel, false)
		p.RemoteCapacity(testModel, false)
		wantOpen(t, p, 1)
		time.Sleep(breaker.MinPause)
		if w := through(p, t.Context(), chat); w.Code != http.StatusOK {
			t.Errorf("got status %d, want 200", w.Code)
		}
		wantOpen(t, p, 0)
		for i := range breaker.MaxModels + 10 {
			p.RemoteCapacity(fmt.Sprint("@cf/m/", i), false)
		}
		wantOpen(t, p, breaker.MaxModels)

		config = testConfig(t.Output()) // without retries, and so without breakers
		if p, err = New(config); err != nil {
			t.Fatal(err)
		}
		p.RemoteCapacity(testModel, false)
		wantOpen(t, p, 0)
	})
}
