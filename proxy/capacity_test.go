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

const noCapacity = `{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`

// shutOff makes calls until the breaker of testModel opens.
func shutOff(t *testing.T, p *Proxy) {
	t.Helper()
	for range breaker.MinFailures {
		through(p, t.Context(), chat)
	}
	time.Sleep(breaker.MinPeriod)
	through(p, t.Context(), chat)
	wantOpen(t, p, 1)
}

// wantOpen checks how many breakers are open.
func wantOpen(t *testing.T, p *Proxy, want int) {
	t.Helper()
	if open := p.Breakers(); len(open) != want {
		t.Fatalf("got open breakers %v, want %d", open, want)
	}
}

// Only a call that was sent since and succeeded closes the breaker.
func TestWhatClosesTheBreaker(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		open   bool
	}{
		{"a success", answerJSON(200, chatAnswer), false},
		{"bad input", answerJSON(400, `{"success":false,"errors":[{"code":5006,"message":"Bad input"}]}`), true},
		{
			"no access",
			answerJSON(401, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`), true,
		},
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
						answerJSON(429, noCapacity)(w, r)
					})}
				})
				shutOff(t, g.proxy)
				later.Store(true)
				time.Sleep(breaker.MaxPause)
				through(g.proxy, t.Context(), chat)
				if open := len(g.proxy.Breakers()) == 1; open != c.open {
					t.Errorf("got open %v, want %v", open, c.open)
				}
				g.close()
			})
		})
	}
}

// A call that was sent while there was capacity, and ends after the breaker has opened, does not close it.
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
			answerJSON(429, noCapacity)(w, r)
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
		wantOpen(t, p, 1)
	})
}

// The trial is one call, sent once: while it runs no other call is sent, and one that fails is not repeated.
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
			answerJSON(429, noCapacity)(w, r)
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
		if n := calls.Load() - before; n != 1 {
			t.Errorf("a trial that fails: got %d attempts, want 1", n)
		}
		if got := w.Header().Get("X-Should-Retry"); got != "false" {
			t.Errorf("a trial that fails: got X-Should-Retry %q, want false", got)
		}
		if want := `"origin":"upstream"`; !strings.Contains(w.Body.String(), want) {
			t.Errorf("a trial that fails: got %s, want %s in it", w.Body, want)
		}
		if n := count(t, config.Metrics, "neuronward_retries_total", "code", "3040", "outcome", "budget"); n == 0 {
			t.Error("got no count of the attempt that was not made, want one")
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
			t.Errorf("got %d calls sent during a trial, want the trial alone", n)
		}
		leave()
		<-ended
	})
}

// Retries of one call count once.
func TestBreakerCountsCalls(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(io.Discard)
		config.Retries, config.RetryBudget = 2, 1
		config.Transport = inMemory{answerJSON(429, noCapacity)}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		p.retries.budget.credit.Store(1000 * oneAttempt)
		for range breaker.MinFailures - 1 {
			through(p, t.Context(), chat)
		}
		wantOpen(t, p, 0)
	})
}
