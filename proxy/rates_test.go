package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
	"github.com/neuronward/neuronward/quota/workload"
)

// atPace limits requests per minute.
func atPace(t *testing.T, limits string, wait time.Duration) func(*Config) {
	t.Helper()
	parsed, err := pace.ParseTable(limits)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Pace, c.RateWait = pace.New(parsed), wait }
}

func TestCallsAreRefusedAheadOfTheLimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{}, workersai.Options{}, atPace(t, "text-generation=60", time.Second))
		var refused *httptest.ResponseRecorder
		for range 60 {
			if w := g.post(chatPath, chat); w.Code != 200 {
				refused = w
				break
			} else if h := w.Header(); h.Get("Ratelimit-Policy") != `"rpm";q=60;w=60` ||
				!strings.HasPrefix(h.Get("Ratelimit"), `"rpm";r=`) {
				t.Fatalf("got Ratelimit-Policy %q and Ratelimit %q, want %q and at its start %q",
					h.Get("Ratelimit-Policy"), h.Get("Ratelimit"), `"rpm";q=60;w=60`, `"rpm";r=`)
			}
		}
		reached := g.sim.Requests()
		if refused == nil || refused.Code != 429 {
			t.Fatalf("got the refusal %+v, want one of 60 calls refused with 429", refused)
		}
		var e struct {
			Error struct {
				Name, Origin, Code, Message string
				MatchedBy                   string `json:"matched_by"`
				RetryAfter                  int64  `json:"retry_after_ms"`
				Limit                       struct {
					Name, Unit, Window string
					Limit              float64
				}
			}
		}
		if err := json.Unmarshal(refused.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		x := e.Error
		wantEqual(t, "name", x.Name, "rate_limited")
		wantEqual(t, "origin", x.Origin, "guard")
		wantEqual(t, "matched by", x.MatchedBy, "rate")
		wantEqual(t, "code", x.Code, "rate_limit_exceeded")
		wantEqual(t, "limit", x.Limit.Name, "text-generation")
		wantEqual(t, "limit", x.Limit.Limit, 60)
		wantEqual(t, "unit", x.Limit.Unit, "requests")
		wantEqual(t, "window", x.Limit.Window, "minute")
		wantHas(t, "message", x.Message, "60 requests a minute for text-generation")
		wantEqual(t, "X-Should-Retry", refused.Header().Get("X-Should-Retry"), "true")
		if n := count(t, g.config.Metrics, "neuronward_preempted_total", "reason", "rate"); n != 1 {
			t.Errorf("got %v preempted, want 1", n)
		}
		time.Sleep(time.Duration(e.Error.RetryAfter) * time.Millisecond)
		before := time.Now()
		if w := g.post(chatPath, chat); w.Code != 200 || time.Since(before) != 0 {
			t.Errorf("after the retry-after: got %d in %v, want 200 at once", w.Code, time.Since(before))
		}
		if g.sim.Requests() != reached+1 {
			t.Errorf("got %d calls upstream, want %d", g.sim.Requests(), reached+1)
		}
		g.close()
	})
}

// What waits its turn goes in order of arrival, and who leaves takes nothing
// along.
func TestCallsWaitTheirTurn(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 100_000 * neuron}, workersai.Options{},
			atPace(t, "text-generation=60", 30*time.Second))
		began := time.Now()
		for time.Since(began) == 0 {
			g.post(chatPath, chat)
		}
		gone, leave := context.WithCancel(t.Context())
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		for i := range 10 {
			ctx := t.Context()
			if i%2 == 1 {
				ctx = gone
			}
			all.Go(func() {
				w := g.postWith(ctx, chatPath, chat)
				mu.Lock()
				defer mu.Unlock()
				if w.Code == 200 {
					order = append(order, i)
				}
			})
			synctest.Wait()
		}
		reached := g.sim.Requests()
		leave()
		waiting := time.Now()
		all.Wait()
		wantEqual(t, "order", fmt.Sprint(order), "[0 2 4 6 8]")
		if n := g.sim.Requests() - reached; n != 5 {
			t.Errorf("got %d calls upstream, want 5", n)
		}
		if took := time.Since(waiting); took < 4*time.Second || took > 7*time.Second {
			t.Errorf("five turns: got %v, want 4 to 7 seconds", took)
		}
		if n := count(t, g.config.Metrics, "neuronward_requests_total", "result", "client_gone"); n != 5 {
			t.Errorf("got %v callers that left, want 5", n)
		}
		g.close()
	})
}

// A spent account is told so, however many ask: its refusals spend no requests
// per minute, and wait for none.
func TestSpentAccountIsToldSoAtAnyRate(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: neuron}, workersai.Options{},
			atPace(t, "text-generation=20", 5*time.Second))
		began := time.Now()
		for range 500 {
			if w := g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":2000000,`,
				1)); !strings.Contains(w.Body.String(), `"name":"account_limited"`) {
				t.Fatalf("got %d %s, want the name account_limited", w.Code, w.Body)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("got refusals that waited %v, want no wait", took)
		}
		g.close()
	})
}

func TestThreeThousandTwentyOneHalvesThePace(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{}, workersai.Options{}, atPace(t, "", time.Second))
		for range 5 { // one volley
			g.post(chatPath, chat, "X-Simulate", "3021")
		}
		model := func() (pace float64) {
			for _, r := range g.proxy.Rates() {
				if r.Model != nil && *r.Model == testModel {
					pace = r.Pace
				}
			}
			return pace
		}
		if m := model(); m < 140 || m > 160 {
			t.Errorf("got the pace %v, want 140 to 160: %+v", m, g.proxy.Rates())
		}
		if n := strings.Count(g.log.String(), "another program on this account"); n != 1 {
			t.Errorf("got it said %d times that another program is on this account, want once", n)
		}
		slow := model()
		time.Sleep(2 * time.Minute)
		if m := model(); m <= slow {
			t.Errorf("two minutes later: got the pace %v, want more than %v", m, slow)
		}
		g.close()
	})
}

// Each attempt takes its turn; calls that are not ours to count take none.
func TestWhatIsPaced(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{}, workersai.Options{}, repeatedly,
			atPace(t, "text-generation=60", time.Second))
		left := func() int {
			key := pace.Key{Task: workload.TextGeneration, Model: testModel}
			r, _ := g.proxy.rates.limiter.Remaining(key, time.Now())
			return r.Requests
		}
		g.post("/run/"+testModel+"?queueRequest=true", `{"request_id":"11111111-2222-3333-4444-555555555555"}`)
		if left() != 6 {
			t.Errorf("asking after a batch: got %d requests left, want 6", left())
		}
		r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/models", nil)
		g.proxy.ServeHTTP(httptest.NewRecorder(), r)
		if left() != 6 {
			t.Errorf("listing models: got %d requests left, want 6", left())
		}
		began := time.Now()
		g.post(chatPath, chat, "X-Simulate", "3050; times=2")
		waited := int(time.Since(began).Seconds() * 54 / 60) // what came back meanwhile
		if n := left(); n < 3 || n > 3+waited+1 {
			t.Errorf("three attempts: got %d requests left, want 3 to %d", n, 3+waited+1)
		}
		g.close()
	})
	t.Run("another account", func(t *testing.T) {
		var calls atomic.Int64
		config := testConfig(io.Discard)
		atPace(t, "text-generation=1", 0)(&config)
		config.Token = nil
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			answerJSON(200, chatAnswer)(w, r)
		})}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			p.ServeHTTP(httptest.NewRecorder(),
				httptest.NewRequest("POST", "http://localhost/client/v4/accounts/another/ai/v1/chat/completions",
					strings.NewReader(chat)))
		}
		if calls.Load() != 20 {
			t.Errorf("got %d calls with the caller's own token passed, want 20", calls.Load())
		}
	})
}

// Calls that wait their turn when Workers AI says that the day is spent are not
// sent any more.
func TestWaitingCallsHearOfTheLatch(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron, Probe: 30 * time.Minute}, workersai.Options{},
			atPace(t, "text-generation=60", time.Minute))
		began := time.Now()
		for time.Since(began) == 0 {
			g.post(chatPath, chat)
		}
		reached := g.sim.Requests()
		var refused atomic.Int64
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if w := g.post(chatPath, chat); strings.Contains(w.Body.String(), `"name":"account_limited"`) &&
					strings.Contains(w.Body.String(), `"origin":"guard"`) {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		g.ledger.Block(time.Time{})
		waiting.Wait()
		if refused.Load() != 10 || g.sim.Requests() != reached {
			t.Errorf("got %d refused and %d upstream, want 10 and 0", refused.Load(), g.sim.Requests()-reached)
		}
		if n := count(t, g.config.Metrics, "neuronward_preempted_total", "reason", "latched"); n != 10 {
			t.Errorf("got %v preempted, want 10", n)
		}
		g.close()
	})
}

// In observe mode nothing is refused: calls wait, then pass, and are counted.
func TestObserveRefusesNoRate(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Mode: quota.Observe}, workersai.Options{}, atPace(t, "text-generation=20", 0))
		for range 50 {
			if w := g.post(chatPath, chat); w.Code != 200 {
				t.Fatalf("got %d %s, want 200", w.Code, w.Body)
			}
		}
		if n := count(t, g.config.Metrics, "neuronward_preempted_total", "reason", "rate", "mode", "observe"); n < 40 {
			t.Errorf("got %v calls that would have been refused, want at least 40", n)
		}
		g.close()
	})
}
