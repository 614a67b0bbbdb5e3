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

// Two proxies tell each other of breakers: what one finds out spares the other
// the calls, in both directions.
func TestBreakersOfTwoProxies(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var calls atomic.Int64
		var room, cut atomic.Bool
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
				if room.Load() {
					answerJSON(200, chatAnswer)(w, r)
					return
				}
				answerJSON(429, noRoom)(w, r)
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
		if len(first.Breakers()) != 1 || len(second.Breakers()) != 0 {
			t.Fatal("it heard what was not told")
		}
		// The word that was lost comes again with the next trial.
		cut.Store(false)
		time.Sleep(breaker.MinPause)
		through(first, t.Context(), chat)
		before := calls.Load()
		if w := through(second, t.Context(), chat); calls.Load() != before || !strings.Contains(w.Body.String(), `"`+normalize.OutOfCapacity.String()+`"`) {
			t.Errorf("the second sent a call that the first knew of: %s", w.Body)
		}
		room.Store(true)
		time.Sleep(2 * breaker.MinPause)
		if w := through(second, t.Context(), chat); w.Code != http.StatusOK {
			t.Errorf("the second's trial: %d", w.Code)
		}
		if open := len(first.Breakers()) + len(second.Breakers()); open != 0 {
			t.Errorf("%d are open after a call was taken", open)
		}
		if w := through(first, t.Context(), chat); w.Code != http.StatusOK {
			t.Errorf("the first: %d", w.Code)
		}
	})
}

// A word that is wrong, strange or old does no harm.
func TestWhatABreakerDoesNotHear(t *testing.T) {
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
		if n := len(p.Breakers()); n != 0 {
			t.Errorf("%d are open", n)
		}
		p.RemoteCapacity(testModel, false)
		p.RemoteCapacity(testModel, false)
		if len(p.Breakers()) != 1 {
			t.Fatal("it is closed")
		}
		time.Sleep(breaker.MinPause)
		if w := through(p, t.Context(), chat); w.Code != http.StatusOK || len(p.Breakers()) != 0 {
			t.Errorf("a wrong word outlives a call that is taken: %d, %v", w.Code, p.Breakers())
		}
		for i := range breaker.MaxModels + 10 {
			p.RemoteCapacity(fmt.Sprint("@cf/m/", i), false)
		}
		if n := len(p.Breakers()); n != breaker.MaxModels {
			t.Errorf("%d are open, of at most %d", n, breaker.MaxModels)
		}

		config = testConfig(t.Output()) // without retries, and so without breakers
		if p, err = New(config); err != nil {
			t.Fatal(err)
		}
		p.RemoteCapacity(testModel, false)
		if n := len(p.Breakers()); n != 0 {
			t.Error("a proxy without breakers has one")
		}
	})
}
