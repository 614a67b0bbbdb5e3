package proxy

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// guarded is a proxy with a ledger, over a simulated Workers AI in memory.
type guarded struct {
	t      *testing.T
	proxy  *Proxy
	ledger *quota.Ledger
	sim    *workersai.Simulator
	log    *safeBuffer
	config Config
}

// newGuarded makes a guarded proxy. Its ledger is alone: where o has no other store and heartbeat, it has a store in
// memory and a heartbeat of half a minute, so that a virtual day does not consist of heartbeats.
func newGuarded(t *testing.T, o quota.Options, simulated workersai.Options, change ...func(*Config)) *guarded {
	t.Helper()
	if o.Heartbeat == 0 {
		o.Heartbeat = 30 * time.Second
	}
	if o.Store == nil {
		o.Store = memstore.New(o.Now)
	}
	ledger, err := quota.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{t: t, ledger: ledger, sim: workersai.New(simulated), log: &safeBuffer{}}
	g.config = testConfig(g.log)
	g.config.Transport = simulating{inMemory{g.sim}}
	g.config.Ledger, g.config.Estimator = ledger, price.NewEstimator(nil, price.Tight)
	g.config.Models = price.Embedded().Models()
	g.config.FirstByteTimeout, g.config.StreamIdleTimeout = 6*time.Minute, 2*time.Minute
	for _, f := range change {
		f(&g.config)
	}
	if g.proxy, err = New(g.config); err != nil {
		t.Fatal(err)
	}
	return g
}

// close ends the ledger; what was reserved must be settled by then.
func (g *guarded) close() quota.Snapshot {
	g.t.Helper()
	s := g.ledger.Snapshot()
	if s.Account.Reserved != 0 || s.InFlight != 0 {
		g.t.Errorf("got %v neurons still reserved by %d calls, want 0 by 0", s.Account.Reserved, s.InFlight)
	}
	if err := g.ledger.Close(context.Background()); err != nil {
		g.t.Error(err)
	}
	return s
}

func (g *guarded) latched() bool { return g.ledger.Snapshot().Block.Set }

func (g *guarded) post(path, body string, header ...string) *httptest.ResponseRecorder {
	return g.postWith(context.Background(), path, body, header...)
}

func (g *guarded) postWith(ctx context.Context, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Header.Set("X-Simulate-Upstream", r.Header.Get("X-Simulate"))
	w := httptest.NewRecorder()
	g.proxy.ServeHTTP(w, r)
	return w
}

// simulating lets a test simulate failures behind a proxy that is no demo: the header
// is renamed behind it.
type simulating struct{ next http.RoundTripper }

func (s simulating) RoundTrip(r *http.Request) (*http.Response, error) {
	if failure := r.Header.Get("X-Simulate-Upstream"); failure != "" {
		r.Header.Set("X-Simulate", failure)
	}
	return s.next.RoundTrip(r)
}

const neuron = quota.OneNeuron

func TestSpentLimitIsRefusedBeforeUpstream(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 20 * neuron}, workersai.Options{})
		defer g.close()
		call := `{"model":"` + testModel + `","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}`
		var refused *httptest.ResponseRecorder
		for range 1000 {
			if w := g.post(chatPath, call); w.Code != 200 {
				refused = w
				break
			} else if w.Header().Get("Ratelimit-Policy") != `"neurons";q=20;w=86400` ||
				!strings.HasPrefix(w.Header().Get("Ratelimit"), `"neurons";r=`) {
				t.Fatalf("got policy %s, standing %s, want \"neurons\";q=20;w=86400, \"neurons\";r=",
					w.Header().Get("Ratelimit-Policy"), w.Header().Get("Ratelimit"))
			}
		}
		if refused == nil {
			t.Fatal("got no refusal in 1000 calls, want one")
		}
		reached := g.sim.Requests()
		var e struct {
			Error struct {
				Message, Code, Name, Origin, Fault string
				Number, Status                     int
				Retryable                          bool
				RetryAfterMs                       int64     `json:"retry_after_ms"`
				ResetsAt                           time.Time `json:"resets_at"`
				MatchedBy                          string    `json:"matched_by"`
				Limit                              struct {
					Name, Unit, Window    string
					Used, Reserved, Limit float64
				}
			}
		}
		if err := json.Unmarshal(refused.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		wantEqual(t, "status", refused.Code, 429)
		wantEqual(t, "name", e.Error.Name, "account_limited")
		wantEqual(t, "number", e.Error.Number, 3036)
		wantEqual(t, "code", e.Error.Code, "insufficient_quota")
		wantEqual(t, "origin", e.Error.Origin, "guard")
		wantEqual(t, "matched by", e.Error.MatchedBy, "budget")
		wantEqual(t, "retryable", e.Error.Retryable, false)
		wantEqual(t, "resets at", e.Error.ResetsAt.UTC(), midnight)
		if e.Error.RetryAfterMs <= 0 {
			t.Errorf("retry after: got %v ms, want more than 0", e.Error.RetryAfterMs)
		}
		l := e.Error.Limit
		wantEqual(t, "unit", l.Unit, "neurons")
		wantEqual(t, "window", l.Window, "day")
		wantEqual(t, "limit", l.Limit, 20)
		if l.Used < 15 || l.Used > 20 {
			t.Errorf("used: got %v, want 15 to 20", l.Used)
		}
		if refused.Header().Get("Retry-After") != "" || refused.Header().Get("X-Should-Retry") != "false" {
			t.Errorf("got Retry-After %q, X-Should-Retry %q, want none, false", refused.Header().Get("Retry-After"),
				refused.Header().Get("X-Should-Retry"))
		}
		for range 50 {
			g.post(chatPath, call)
		}
		if g.sim.Requests() != reached {
			t.Errorf("got %d calls upstream after the limit, want 0", g.sim.Requests()-reached)
		}
		if billed := g.sim.Billed(); billed > 20*neuron {
			t.Errorf("got billed %v, want at most %v", billed, 20*neuron)
		}
		b := &bench{t: t, metrics: g.config.Metrics}
		if n := b.value("neuronward_preempted_total", "reason", "account_quota", "mode", "enforce"); n != 51 {
			t.Errorf("got %v calls preempted, want 51", n)
		}
		if w := g.post(chatPath, strings.Replace(call, "100", "1000000", 1)); !strings.Contains(w.Body.String(),
			"max_tokens") && g.ledger.Snapshot().Account.Used < 19*neuron {
			t.Errorf("a call that is too large: got %s, used %v, want max_tokens in it, or used %v or more", w.Body,
				g.ledger.Snapshot().Account.Used, 19*neuron)
		}
	})
}

func TestObserveRefusesNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: neuron, Mode: quota.Observe}, workersai.Options{})
		defer g.close()
		for range 20 {
			if w := g.post(chatPath, chat); w.Code != 200 {
				t.Fatalf("got %d %s, want 200", w.Code, w.Body)
			}
		}
		b := &bench{t: t, metrics: g.config.Metrics}
		if n := b.value("neuronward_preempted_total", "mode", "observe"); n == 0 {
			t.Errorf("got %v calls counted that would have been refused, want some", n)
		}
		if n := b.value("neuronward_preempted_total", "mode", "enforce"); n != 0 {
			t.Errorf("got %v calls refused, want 0", n)
		}
	})
}

func TestPaidModelsOnTheFreePlan(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
			func(c *Config) { c.FreePlan = true })
		defer g.close()
		// an alias of the first
		for _, model := range []string{"@cf/moonshotai/kimi-k2.6", "@cf/moonshotai/kimi-k2.5"} {
			w := g.post(chatPath, `{"model":"`+model+`","messages":[]}`)
			wantEqual(t, model+": status", w.Code, 403)
			wantHas(t, model, w.Body.String(), `"name":"paid_plan_required"`)
			wantEqual(t, model+": calls upstream", g.sim.Requests(), 0)
		}
	})
}

// What upstream says of the day shuts the gate, by the rule and not by an echo.
func TestLatch(t *testing.T) {
	for _, c := range []struct {
		name, simulate string
		latched        bool
	}{
		{"4006", "4006", true},
		{"3036 by name", "account_limited", true},
		{"as the first event of a stream", "first=4006", true},
		{"in a stream", "midstream=4006; after=2", true},
		{"with a status that no quota has", "4006; status=500", false},
		{"another failure", "3040", false},
		{"inside a success", "4006; shape=ok-false", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron, Probe: 30 * time.Minute}, workersai.Options{})
				defer g.close()
				time.Sleep(time.Hour) // earlier, it might be a late reset
				g.post(chatPath, streamChat, "X-Simulate", c.simulate)
				reached := g.sim.Requests()
				w := g.post(chatPath, chat)
				if latched := g.latched(); latched != c.latched || (w.Code == 429) != c.latched {
					t.Fatalf("got latched %v, next call %d %s, want latched %v, and 429 only then", latched, w.Code,
						w.Body, c.latched)
				}
				if !c.latched {
					return
				}
				if !strings.Contains(w.Body.String(), `"origin":"guard"`) || g.sim.Requests() != reached {
					t.Errorf("the next call: got %d calls upstream and %s, want 0 and the origin guard",
						g.sim.Requests()-reached, w.Body)
				}
				// One call finds out, half an hour later, and opens the gate.
				time.Sleep(31 * time.Minute)
				if w := g.post(chatPath, chat); w.Code != 200 {
					t.Errorf("the probe: got %d %s, want 200", w.Code, w.Body)
				}
				if w := g.post(chatPath, chat); w.Code != 200 || g.latched() {
					t.Errorf("after the probe: got %d, latched %v, want 200, false: %s", w.Code, g.latched(), w.Body)
				}
			})
		})
	}
	t.Run("make-believe of the demo", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
				func(c *Config) { c.Simulate = true })
			defer g.close()
			if w := g.post(chatPath, chat, "X-Simulate", "3036"); w.Code != 429 || g.latched() {
				t.Errorf("got %d, latched %v, want 429, false", w.Code, g.latched())
			}
		})
	})
	t.Run("a caller's own account", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
				func(c *Config) { c.Token = nil })
			defer g.close()
			g.post("/client/v4/accounts/another/ai/v1/chat/completions", chat, "X-Simulate", "4006", "Authorization",
				"Bearer theirs")
			if s := g.ledger.Snapshot(); g.latched() || s.Account.Used != 0 {
				t.Errorf("got latched %v, used %v, want false, 0", g.latched(), s.Account.Used)
			}
		})
	})
}

// What each way to end costs, next to what was billed.
func TestSettlement(t *testing.T) {
	long := `{"model":"` + testModel +
		`","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`
	for _, c := range []struct {
		name, simulate string
		body           string
		check          func(used, billed, estimate quota.Neurons) bool
		want           string
	}{
		{
			"a success", "", chat, func(used, billed, _ quota.Neurons) bool { return used == billed && used > 0 },
			"what was billed",
		},
		{
			"a stream", "", long, func(used, billed, _ quota.Neurons) bool { return used == billed && used > 0 },
			"what was billed",
		},
		{"bad input", "5006", chat, func(used, _, _ quota.Neurons) bool { return used == 0 }, "nothing"},
		{"no capacity", "3040", chat, func(used, _, _ quota.Neurons) bool { return used == 0 }, "nothing"},
		{"too many requests", "3021", chat, func(used, _, _ quota.Neurons) bool { return used == 0 }, "nothing"},
		{
			"an internal error", "3043", chat, func(used, _, _ quota.Neurons) bool { return used == 0 },
			"nothing, as none was reported",
		},
		{
			"upstream's timeout", "3046", chat, func(used, _, estimate quota.Neurons) bool { return used == estimate },
			"the estimate",
		},
		{
			"a reset", "reset", chat, func(used, _, estimate quota.Neurons) bool { return used == estimate },
			"the estimate",
		},
		{
			"silence", "hang", chat, func(used, _, estimate quota.Neurons) bool { return used == estimate },
			"the estimate",
		},
		{
			"a cut stream", "midstream=cut; after=5", long,
			func(used, billed, estimate quota.Neurons) bool { return used > billed && used < estimate },
			"what had passed, and a second's generation",
		},
		{
			"an error in a stream", "midstream=3040; after=5", long,
			func(used, _, estimate quota.Neurons) bool { return used > 0 && used < estimate }, "what had passed",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{})
				g.post(chatPath, c.body, "X-Simulate", c.simulate)
				s := g.close()
				estimate := g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
					requestOf("v1/chat/completions", workload.TextGeneration, c.body)).Neurons
				if !c.check(s.Account.Used, g.sim.Billed(), estimate) {
					t.Errorf("got used %v, billed %v, estimate %v, want used to be %s\n%s", s.Account.Used,
						g.sim.Billed(), estimate, c.want, g.log)
				}
			})
		})
	}
}

func TestAbortedCallsCostWhatHadPassedOrAll(t *testing.T) {
	for _, all := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron},
				workersai.Options{Latency: 100 * time.Millisecond}, func(c *Config) {
					if all {
						c.Aborted = guard.Estimate
					}
				})
			ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
			defer leave()
			body := `{"model":"` + testModel +
				`","max_tokens":2000,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`
			g.postWith(ctx, chatPath, body, "X-Simulate", "tokens=2000")
			synctest.Wait()
			s := g.close()
			estimate := g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
				requestOf("v1/chat/completions", workload.TextGeneration, body)).Neurons
			if all != (s.Account.Used == estimate) || s.Account.Used == 0 {
				t.Errorf("got used %v of the estimate %v, want above 0, and all of it %v", s.Account.Used, estimate,
					all)
			}
			if !strings.Contains(g.log.String(), `"name":"aborted"`) {
				t.Errorf("got a log without the name aborted, want it:\n%s", g.log)
			}
		})
	}
}

// BenchmarkRefusal is a call that the guard refuses, from the caller's socket and
// back. Beside it, what the same exchange costs where nothing is decided: the rest
// is this proxy's.
func BenchmarkRefusal(b *testing.B) {
	ledger, err := quota.New(b.Context(), quota.Options{Store: memstore.New(nil), Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := ledger.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	bench := newBench(b, http.NotFoundHandler(), func(c *Config) {
		c.Ledger, c.Estimator = ledger, price.NewEstimator(nil, price.Bound)
		c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) // written out, but not kept
	})
	res, envelope := bench.do("POST", chatPath, chat)
	if res.StatusCode != http.StatusTooManyRequests {
		b.Fatalf("got %d, want 429", res.StatusCode)
	}
	floor := httptest.NewServer(answerJSON(http.StatusTooManyRequests, string(envelope)))
	b.Cleanup(floor.Close)
	for _, c := range []struct{ impl, url string }{{"floor", floor.URL}, {"neuronward", bench.url}} {
		b.Run("impl="+c.impl, func(b *testing.B) {
			client := &http.Client{Transport: NewTransport()}
			b.ReportAllocs()
			for b.Loop() {
				res, err := client.Post(c.url+chatPath, "application/json", strings.NewReader(chat))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 429 {
					b.Fatalf("got %d, %v, want 429, nil", res.StatusCode, err)
				}
				res.Body.Close()
			}
		})
	}
}
