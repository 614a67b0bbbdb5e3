package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

const noRoom = `{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`

// shutOff makes calls until the breaker of testModel opens.
func shutOff(t *testing.T, p *Proxy) {
	t.Helper()
	for range breaker.MinFailures {
		through(p, t.Context(), chat)
	}
	time.Sleep(breaker.MinPeriod)
	through(p, t.Context(), chat)
	if len(p.Breakers()) != 1 {
		t.Fatal("it is closed")
	}
}

// Only a call that was sent since and taken says that there is room again.
func TestWhatClosesTheBreaker(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		open   bool
	}{
		{"a success", answerJSON(200, chatAnswer), false},
		{"bad input", answerJSON(400, `{"success":false,"errors":[{"code":5006,"message":"Bad input"}]}`), true},
		{"no access", answerJSON(401, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`), true},
		{"an outage", answerJSON(502, ""), true},
		{"a cache", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cf-Aig-Cache-Status", "HIT")
			answerJSON(200, chatAnswer)(w, r)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				var later atomic.Bool
				g := newGuarded(t, quota.Options{}, workersai.Options{}, func(config *Config) {
					config.Retries, config.RetryBudget = 1, 1e-9
					config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if later.Load() {
							c.answer(w, r)
							return
						}
						answerJSON(429, noRoom)(w, r)
					})}
				})
				shutOff(t, g.proxy)
				later.Store(true)
				time.Sleep(breaker.MaxPause)
				through(g.proxy, t.Context(), chat)
				if open := len(g.proxy.Breakers()) == 1; open != c.open {
					t.Errorf("open: %v", open)
				}
				g.close()
			})
		})
	}
}

// A call that was sent while there was room, and ends after the breaker has
// opened, does not close it.
func TestStaleSuccessClosesNoBreaker(t *testing.T) {
	virtually(t, func(t *testing.T) {
		first := make(chan struct{})
		config := testConfig(io.Discard)
		config.Retries, config.RetryBudget = 1, 1e-9
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "slow") {
				<-first
				answerJSON(200, chatAnswer)(w, r)
				return
			}
			answerJSON(429, noRoom)(w, r)
		})}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			through(p, t.Context(), strings.Replace(chat, "Hello", "slow", 1))
			close(ended)
		}()
		synctest.Wait()
		time.Sleep(time.Millisecond)
		shutOff(t, p)
		close(first)
		<-ended
		if len(p.Breakers()) != 1 {
			t.Error("it is closed")
		}
	})
}

// The trial is one call, sent once: while it is out no other goes, and one that
// finds no room is not repeated.
func TestTrialOfABreaker(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var calls atomic.Int64
		var hangs atomic.Bool
		config := testConfig(io.Discard)
		repeatedly(&config)
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			if hangs.Load() {
				<-r.Context().Done()
				return
			}
			answerJSON(429, noRoom)(w, r)
		})}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		shutOff(t, p)
		p.retries.budget.credit.Store(maxCredit)
		time.Sleep(breaker.MaxPause)
		before := calls.Load()
		w := through(p, t.Context(), chat)
		if n := calls.Load() - before; n != 1 || w.Header().Get("X-Should-Retry") != "false" || !strings.Contains(w.Body.String(), `"origin":"upstream"`) {
			t.Errorf("%d attempts: %v %s", n, w.Header(), w.Body)
		}
		if n := count(t, config.Metrics, "neuronward_retries_total", "code", "3040", "outcome", "budget"); n == 0 {
			t.Error("the attempt that was not made is not counted")
		}
		time.Sleep(breaker.MaxPause)
		hangs.Store(true)
		before = calls.Load()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			through(p, ctx, chat)
			close(ended)
		}()
		synctest.Wait()
		for range 50 {
			through(p, t.Context(), chat)
		}
		if n := calls.Load() - before; n != 1 {
			t.Errorf("%d calls go while a trial is out", n)
		}
		leave()
		<-ended
	})
}

// Retries of one call are one word on its model's capacity.
func TestBreakerCountsCalls(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(io.Discard)
		config.Retries, config.RetryBudget = 2, 1
		config.Transport = inMemory{answerJSON(429, noRoom)}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		p.retries.budget.credit.Store(1000 * oneAttempt)
		for range breaker.MinFailures - 1 {
			through(p, t.Context(), chat)
		}
		if len(p.Breakers()) != 0 {
			t.Error("it is open")
		}
	})
}
