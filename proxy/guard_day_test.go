package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// until sleeps to a time of day, in virtual time.
func until(clock string) {
	at, err := time.Parse("15:04:05.000", clock)
	if err != nil {
		panic(err)
	}
	now := time.Now().UTC()
	time.Sleep(now.Truncate(24 * time.Hour).Add(at.Sub(at.Truncate(24 * time.Hour))).Sub(now))
}

func TestDayEndsToTheSecond(t *testing.T) {
	virtually(t, func(t *testing.T) {
		small := strings.Replace(chat, `{`, `{"max_tokens":50,`, 1)
		g := newGuarded(t, quota.Options{Limit: 5 * neuron}, workersai.Options{})
		defer g.close()
		for g.post(chatPath, small).Code == 200 {
		}
		until("23:59:59.900")
		if w := g.post(chatPath, small); w.Code != 429 {
			t.Errorf("a tenth of a second before the reset: got %d, want 429", w.Code)
		}
		time.Sleep(100 * time.Millisecond)
		if w := g.post(chatPath, small); w.Code != 200 {
			t.Errorf("at the reset: got %d %s, want 200", w.Code, w.Body)
		}
		if s := g.ledger.Snapshot(); s.Day.String() != "2000-01-02" || s.Account.Used > neuron {
			t.Errorf("got %v, used %v, want 2000-01-02, at most %v", s.Day, s.Account.Used, neuron)
		}
	})
}

func TestStreamOverMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 100 * neuron}, workersai.Options{Latency: time.Second})
		until("23:59:30.000")
		body := `{"model":"` + testModel +
			`","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`
		done := make(chan int)
		go func() { done <- g.post(chatPath, body, "X-Simulate", "tokens=60").Code }()
		time.Sleep(31 * time.Second)
		// What is in flight may still be billed today: it is held in the new day.
		if s := g.ledger.Snapshot(); s.Day.String() != "2000-01-02" || s.Account.Reserved == 0 {
			t.Errorf("after midnight: got %v, reserved %v, want 2000-01-02, above 0", s.Day, s.Account.Reserved)
		}
		if code := <-done; code != 200 {
			t.Errorf("the stream: got %d, want 200", code)
		}
		if s := g.close(); s.Account.Used != g.sim.Billed() {
			t.Errorf("got used %v, want the %v billed", s.Account.Used, g.sim.Billed())
		}
	})
}

// After a reset a latched account sends one call first; while Workers AI is late
// the gate stays shut and the others are not sent.
func TestLateReset(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
		defer g.close()
		until("22:00:00.000")
		g.post(chatPath, chat, "X-Simulate", "4006")
		until("23:00:00.000")
		if w := g.post(chatPath, chat); w.Code != 429 {
			t.Errorf("while latched: got %d, want 429", w.Code)
		}
		time.Sleep(time.Hour + time.Second)
		reached := g.sim.Requests()
		for range 10 { // Workers AI has not reset yet
			g.post(chatPath, chat, "X-Simulate", "4006")
		}
		if n := g.sim.Requests() - reached; n != 1 {
			t.Errorf("got %d calls sent to see, want 1", n)
		}
		time.Sleep(6 * time.Hour)
		if w := g.post(chatPath, chat); w.Code != 200 {
			t.Errorf("after the late reset: got %d %s, want 200", w.Code, w.Body)
		}
		if w := g.post(chatPath, chat); w.Code != 200 || g.latched() {
			t.Errorf("after the gate has opened: got %d, latched %v, want 200, false", w.Code, g.latched())
		}
	})
}

// A call that was sent before midnight and refused after it says that yesterday
// was spent.
func TestLatchOverMidnight(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron, Wait: 10 * time.Second, Probe: 30 * time.Minute},
			workersai.Options{})
		defer g.close()
		slow := simulating{inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			g.sim.ServeHTTP(w, r)
		})}}
		g.proxy.forward.transport = slow
		until("23:59:59.000")
		w := g.post(chatPath, chat, "X-Simulate", "4006")
		wantEqual(t, "4006: status", w.Code, 429)
		wantEqual(t, "4006: latched", g.latched(), true)
		wantHas(t, "4006", w.Body.String(), `"retry_after_ms":5000,`)
		codes := make(chan int)
		for range 3 { // one is sent first, and the others after it
			go func() { codes <- g.post(chatPath, chat).Code }()
		}
		for range 3 {
			if code := <-codes; code != 200 {
				t.Errorf("on the new day: got %d, want 200", code)
			}
		}
		if s := g.ledger.Snapshot(); s.Block.Set || s.Day.String() != "2000-01-02" {
			t.Errorf("got %v, block %+v, want 2000-01-02, none set", s.Day, s.Block)
		}
	})
}

// Nobody had noticed that yesterday was spent when today's first calls are
// refused.
func TestLateResetThatNothingForetold(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron, Probe: 30 * time.Minute}, workersai.Options{})
		defer g.close()
		time.Sleep(10 * time.Second)
		if w := g.post(chatPath, chat, "X-Simulate", "4006"); !strings.Contains(w.Body.String(),
			`"retry_after_ms":60000,`) {
			t.Errorf("upstream's own refusal: got %s, want a retry after 60000 ms", w.Body)
		}
		for range 3 { // a minute, two and four
			reached := g.sim.Requests()
			w := g.post(chatPath, chat)
			wantEqual(t, "status", w.Code, 429)
			wantEqual(t, "calls upstream", g.sim.Requests(), reached)
			wantHas(t, "body", w.Body.String(), "although a new day has begun")
			wantLacks(t, "body", w.Body.String(), "max_tokens")
			time.Sleep(time.Until(g.ledger.Snapshot().RetryAt) + time.Millisecond)
			g.post(chatPath, chat, "X-Simulate", "4006")
			if n := g.sim.Requests() - reached; n != 1 {
				t.Errorf("got %d calls sent to see, want 1", n)
			}
		}
		if at := time.Now().UTC().Format("15:04:05"); at != "00:07:10" {
			t.Errorf("got the end of the third pause at %s, want 00:07:10", at)
		}
		time.Sleep(8 * time.Minute)
		if w := g.post(chatPath, chat); w.Code != 200 || g.latched() {
			t.Errorf("once it has been reset: got %d, latched %v, want 200, false: %s", w.Code, g.latched(), w.Body)
		}
	})
}

// Somebody who says the sentence of the spent day, or makes a model say it, does
// not end the day.
func TestEchoedAllocationSentenceChangesNothing(t *testing.T) {
	const sentence = "you have used up your daily free allocation of 10,000 neurons, please upgrade to Cloudflare's " +
		"Workers Paid plan"
	for name, answer := range map[string]http.HandlerFunc{
		"a 400 that echoes it": answerJSON(400,
			`{"errors":[{"message":"AiError: Bad input: Error: Type mismatch of '/prompt', '`+
				sentence+`' not in 'array'",`+
				`"code":5006}],"success":false,"result":{},"messages":[]}`),
		"a 400 that begins with it": answerJSON(400,
			`{"errors":[{"message":"AiError: `+sentence+`","code":5006}],"success":false,"result":{},"messages":[]}`),
		"a 429 that echoes it": answerJSON(429,
			`{"errors":[{"message":"AiError: rate limiting: inference request per min rate reached ('`+sentence+`')",`+
				`"code":3021}],"success":false}`),
		"a completion that says it": answerJSON(200,
			`{"choices":[{"message":{"content":"`+sentence+`"},"finish_reason":"stop"}],"usage":{"neurons":1}}`),
		"a stream that says it": streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
			send(`data: {"choices":[{"delta":{"content":"{\"errors\":[{\"code\":4006,\"message\":\"` + sentence +
				`\"}]}"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
					func(c *Config) { c.Transport = inMemory{answer} })
				defer g.close()
				w := g.post(chatPath, streamChat)
				if g.latched() || strings.Contains(w.Body.String(), `"name":"account_limited"`) {
					t.Errorf("got latched %v, %d %s, want false and not account_limited", g.latched(), w.Code, w.Body)
				}
			})
		})
	}
}

// Ends that upstream's entries do not cover.
func TestSettlementOfOtherEnds(t *testing.T) {
	estimate := func(g *guarded) quota.Neurons {
		return g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
			requestOf("v1/chat/completions", workload.TextGeneration, chat)).Neurons
	}
	t.Run("never written", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
				func(c *Config) { c.Transport = unwritten{} })
			w := g.post(chatPath, chat)
			if s := g.close(); s.Account.Used != 0 || w.Code != 502 {
				t.Errorf("got %d, used %v, want 502, 0", w.Code, s.Account.Used)
			}
		})
	})
	t.Run("cut by the end of the process", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
			done := make(chan int)
			go func() { done <- g.postWith(g.proxy.BaseContext(nil), chatPath, chat, "X-Simulate", "hang").Code }()
			time.Sleep(time.Second)
			g.proxy.Drain()
			g.proxy.Abort()
			if code := <-done; code != 503 {
				t.Errorf("got %d, want 503", code)
			}
			if s := g.close(); s.Account.Used != estimate(g) {
				t.Errorf("got used %v, want %v", s.Account.Used, estimate(g))
			}
		})
	})
	t.Run("a panic", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
				func(c *Config) { c.Transport = panicking{} })
			if w := g.post(chatPath, chat); w.Code != 500 {
				t.Errorf("got %d, want 500", w.Code)
			}
			g.close() // nothing stays reserved
		})
	})
}

// unwritten is a transport that never reaches anybody.
type unwritten struct{}

func (unwritten) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
