package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/breaker"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// repeatedly is the configuration of calls that are repeated, at most as often
// as the budget allows.
func repeatedly(c *Config) { c.Retries, c.RetryBudget = 2, 0.2 }

func TestCapacityTwiceThenSuccessIsOneSuccess(t *testing.T) {
	for name, c := range map[string]struct{ body, simulate string }{
		"an answer":                     {chat, "3040; times=2"},
		"a stream that begins with one": {strings.Replace(chat, "{", `{"stream":true,`, 1), "first=3040; times=2"},
		"a failure inside a success":    {chat, "3040; shape=ok-false; status=200; times=2"},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 1000 * neuron}, workersai.Options{}, repeatedly)
				once := g.post(chatPath, c.body)
				one := g.ledger.Snapshot().Account.Used
				w := g.post(chatPath, c.body, "X-Simulate", c.simulate)
				wantEqual(t, "status", w.Code, 200)
				wantEqual(t, "attempts", w.Header().Get("X-Neuronward-Attempts"), "3")
				wantEqual(t, "attempts without a failure", once.Header().Get("X-Neuronward-Attempts"), "1")
				s := g.close()
				if used := s.Account.Used; used != 2*one || one == 0 {
					t.Errorf("one call: got cost %v, want more than 0; with the repeated one: got %v, want %v", one,
						used, 2*one)
				}
				if n := count(t, g.config.Metrics, "neuronward_retries_total", "code", "3040", "outcome",
					"recovered"); n != 2 {
					t.Errorf("recovered: got %v, want 2", n)
				}
				if n := count(t, g.config.Metrics, "neuronward_errors_total"); n != 0 {
					t.Errorf("failures counted: got %v, want 0, as none was delivered", n)
				}
			})
		})
	}
}

// What is repeated, and how often. A failure that may have run, or that the
// caller must change, never is.
func TestWhatIsRepeated(t *testing.T) {
	v4 := func(code int, text string) string {
		return `{"success":false,"errors":[{"code":` + strconv.Itoa(code) + `,"message":"AiError: ` + text +
			`"}],"messages":[],"result":{}}`
	}
	page := "<html><title>Bad gateway</title></html>"
	for _, c := range []struct {
		name     string
		status   int
		body     string
		attempts int
		next     string // x-should-retry
		alone    string // likewise, where this proxy repeats nothing
	}{
		{"capacity", 429, v4(3040, "Capacity temporarily exceeded, please try again."), 3, "false", "true"},
		{"capacity, and a wait that is too long", 429, v4(3040, "wait"), 1, "true", "true"},
		{"retries of upstream's own", 503, v4(3050, "Max retries exhausted"), 3, "false", "true"},
		{"an error inside", 500, v4(3043, "Internal server error"), 2, "false", "true"},
		{"502 of the edge", 502, page, 3, "false", "true"},
		{"503 of the edge", 503, page, 3, "false", "true"},
		{"521", 521, page, 3, "false", "true"},
		{"522", 522, page, 3, "false", "true"},
		{"523", 523, page, 3, "false", "true"},
		{"520 may have run", 520, page, 1, "false", "false"},
		{"504 may have run", 504, page, 1, "false", "false"},
		{"524 may have run", 524, page, 1, "false", "false"},
		{"a timeout has run", 408, v4(3046, "Request timeout"), 1, "false", "false"},
		{
			"the day is spent", 429, v4(4006, "you have used up your daily free allocation of 10,000 neurons"), 1,
			"false", "false",
		},
		{
			"requests per minute", 429, v4(3021, "rate limiting: inference request per min rate reached"), 1,
			"true", "true",
		},
		{"bad input", 400, v4(5006, "Bad input"), 1, "false", "false"},
		{"no such model", 400, v4(5007, "No such model"), 1, "false", "false"},
		{"not the schema's form, and billed", 400, v4(5024, "JSON Mode couldn't be met"), 1, "false", "false"},
		{"a bad token", 403, v4(10000, "Authentication error"), 1, "false", "false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				var calls atomic.Int64
				config := testConfig(io.Discard)
				repeatedly(&config)
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					if b, _ := io.ReadAll(r.Body); string(b) != chat {
						t.Errorf("attempt %d: got body %q, want %q", calls.Load(), b, chat)
					}
					if strings.Contains(c.body, "wait") {
						w.Header().Set("Retry-After", "30")
					}
					answerJSON(c.status, c.body)(w, r)
				})}
				w := callOnce(t, config, chat)
				wantEqual(t, "calls upstream", int(calls.Load()), c.attempts)
				wantEqual(t, "X-Neuronward-Attempts", w.Header().Get("X-Neuronward-Attempts"), strconv.Itoa(c.attempts))
				wantEqual(t, "X-Should-Retry", w.Header().Get("X-Should-Retry"), c.next)
				if n := count(t, config.Metrics, "neuronward_retries_total", "outcome",
					"failed"); int(n) != c.attempts-1 {
					t.Errorf("retries counted as failed: got %v, want %d", n, c.attempts-1)
				}
				config.Retries, config.Metrics = 0, metrics.New(metrics.Build{Version: "test"})
				w = callOnce(t, config, chat)
				wantEqual(t, "X-Should-Retry without retries", w.Header().Get("X-Should-Retry"), c.alone)
			})
		})
	}
}

// callOnce sends one chat call through a proxy made of config.
func callOnce(t *testing.T, config Config, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return through(p, t.Context(), body, header...)
}

//nolint:revive // p is what is called
func through(p *Proxy, ctx context.Context, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost"+chatPath, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestWhoAsksToBeToldAtOnceIs(t *testing.T) {
	for _, body := range []string{
		`{"model":"` + testModel + `","options":{"rejectIfBusy":true},"messages":[{"role":"user","content":"Hello"}]}`,
		`{"options":{"other":1,"rejectIfBusy":true},"model":"` + testModel + `","prompt":"x"}`,
	} {
		virtually(t, func(t *testing.T) {
			config := testConfig(io.Discard)
			repeatedly(&config)
			config.Transport = inMemory{answerJSON(429,
				`{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)}
			if w := callOnce(t, config, body); w.Code != 429 || w.Header().Get("X-Neuronward-Attempts") != "1" {
				t.Errorf("got status %d, X-Neuronward-Attempts %q; want 429, \"1\"", w.Code,
					w.Header().Get("X-Neuronward-Attempts"))
			}
		})
	}
}

// failing is a transport whose connections fail, before or after the request was
// written.
type failing struct {
	err     error
	written bool
	calls   atomic.Int64
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls.Add(1)
	if f.written {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return nil, f.err
}

func TestConnectionsThatFail(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, c := range []struct {
		name     string
		err      error
		written  bool
		attempts int64
		next     string // x-should-retry
		alone    string // likewise, where this proxy repeats nothing
	}{
		{"refused", refused, false, 3, "false", "true"},
		{"reset before anything was written", reset, false, 3, "false", "true"},
		{"reset afterwards", reset, true, 1, "false", "false"},
		{"end of file afterwards", io.EOF, true, 1, "false", "false"},
		{"no such host", &net.DNSError{Err: "no such host", IsNotFound: true}, false, 1, "true", "true"},
		{"name server busy", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, false, 3, "false", "true"},
		{"nobody answers", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, false, 1, "true", "true"},
		{"something unheard of", errors.New("?"), false, 1, "true", "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				f := &failing{err: c.err, written: c.written}
				config := testConfig(io.Discard)
				repeatedly(&config)
				config.Transport = f
				w := callOnce(t, config, chat)
				if w.Code != 502 || f.calls.Load() != c.attempts {
					t.Errorf("got status %d after %d attempts, want 502 after %d", w.Code, f.calls.Load(), c.attempts)
				}
				wantEqual(t, "X-Should-Retry", w.Header().Get("X-Should-Retry"), c.next)
				config.Retries = 0
				w = callOnce(t, config, chat)
				wantEqual(t, "X-Should-Retry without retries", w.Header().Get("X-Should-Retry"), c.alone)
			})
		})
	}
	t.Run("an upload is sent once", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			f := &failing{err: refused}
			config := testConfig(io.Discard)
			repeatedly(&config)
			config.Transport = f
			p, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			p.ServeHTTP(httptest.NewRecorder(),
				httptest.NewRequest("POST", "http://localhost/run/@cf/openai/whisper", strings.NewReader("RIFF....")))
			if f.calls.Load() != 1 {
				t.Errorf("attempts: got %d, want 1", f.calls.Load())
			}
		})
	})
}

func TestUpstreamsOwnWaitComesFirst(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var at []time.Time
		config := testConfig(io.Discard)
		repeatedly(&config)
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Now())
			w.Header().Set("Retry-After", "3")
			answerJSON(429, `{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)(w,
				r)
		})}
		callOnce(t, config, chat)
		if len(at) != 3 {
			t.Fatalf("got %d attempts, at %v; want 3", len(at), at)
		}
		wantEqual(t, "wait for the second attempt", at[1].Sub(at[0]), 3*time.Second)
		wantEqual(t, "wait for the third attempt", at[2].Sub(at[1]), 3*time.Second)
	})
}

func TestCallerMayLeaveBetweenAttempts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 1000 * neuron}, workersai.Options{}, repeatedly)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		g.postWith(ctx, chatPath, chat, "X-Simulate", "3040; retry-after=4")
		if n := g.sim.Requests(); n != 1 {
			t.Errorf("attempts: got %d, want 1", n)
		}
		if s := g.close(); s.Account.Used != 0 {
			t.Errorf("cost: got %v, want 0", s.Account.Used)
		}
		if n := count(t, g.config.Metrics, "neuronward_requests_total", "result", "client_gone"); n != 1 {
			t.Errorf("client_gone: got %v, want 1", n)
		}
	})
}

// An attempt that failed and yet cost something is paid for beside the one that
// succeeds.
func TestEachAttemptIsCharged(t *testing.T) {
	virtually(t, func(t *testing.T) {
		attempt := 0
		upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if attempt++; attempt == 1 {
				answerJSON(500,
					`{"success":false,"errors":[{"code":3043,"message":"Internal server error"}],`+
						`"result":{"usage":{"neurons":3.5}}}`)(w, r)
				return
			}
			answerJSON(200, chatAnswer)(w, r)
		})
		g := newGuarded(t, quota.Options{Limit: 1000 * neuron}, workersai.Options{}, repeatedly,
			func(c *Config) { c.Transport = inMemory{upstream} })
		if w := g.post(chatPath, chat); w.Code != 200 {
			t.Errorf("got status %d, want 200: %s", w.Code, w.Body)
		}
		if s := g.close(); s.Account.Used != quota.FromFloat(3.6) {
			t.Errorf("cost: got %v, want %v, which is 3.5 and 0.1", s.Account.Used, quota.FromFloat(3.6))
		}
		if n := count(t, g.config.Metrics, "neuronward_neurons_total"); n < 3.59 || n > 3.61 {
			t.Errorf("neurons_total: got %v, want 3.59 to 3.61", n)
		}
	})
}

func TestRetriesEndWithTheBudget(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(io.Discard)
		repeatedly(&config)
		var calls atomic.Int64
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			answerJSON(503, `{"success":false,"errors":[{"code":3050,"message":"Max retries exhausted"}]}`)(w, r)
		})}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		stopped := 0
		for range 1000 {
			w := through(p, t.Context(), chat)
			wantEqual(t, "X-Should-Retry", w.Header().Get("X-Should-Retry"), "false")
			if w.Header().Get("X-Neuronward-Attempts") != "3" {
				stopped++
			}
		}
		// A fifth of the calls, and the ten attempts of a budget that begins full.
		if n := calls.Load(); n > 1210 || n < 1190 {
			t.Errorf("attempts of 1000 calls: got %d, want 1190 to 1210", n)
		}
		if n := count(t, config.Metrics, "neuronward_retries_total", "code", "3050", "outcome",
			"budget"); int(n) != stopped || stopped < 700 {
			t.Errorf("not repeated to the end: got %d calls, want 700 or more; counted: got %v, want %d", stopped, n,
				stopped)
		}
	})
	t.Run("of nothing", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			config := testConfig(io.Discard)
			repeatedly(&config)
			config.RetryBudget = 0
			config.Transport = inMemory{answerJSON(502, "")}
			if w := callOnce(t, config, chat); w.Header().Get("X-Neuronward-Attempts") != "1" {
				t.Errorf("X-Neuronward-Attempts: got %q, want \"1\"", w.Header().Get("X-Neuronward-Attempts"))
			}
		})
	})
}

// Half a minute without upstream, under 50 callers who call again once they are
// answered: the outage is not doubled, everybody gets an answer, and all is well
// as soon as upstream is.
func TestOutageIsNotDoubled(t *testing.T) {
	for name, kind := range map[string]string{
		"connections refused": "", "502 of the edge": "html-502", "no capacity": "3040",
	} {
		t.Run(name, func(t *testing.T) { virtually(t, func(t *testing.T) { outage(t, kind) }) })
	}
}

func outage(t *testing.T, kind string) {
	var down atomic.Bool
	var upstreamCalls, calls, unanswered atomic.Int64
	began := time.Now()
	g := newGuarded(t, quota.Options{}, workersai.Options{}, repeatedly)
	sim := g.config.Transport
	g.config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		upstreamCalls.Add(1)
		if down.Load() {
			if kind == "" {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			r.Header.Set("X-Simulate", kind)
		}
		return sim.RoundTrip(r)
	})
	p, err := New(g.config)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lastFailure time.Time
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() {
			for time.Since(began) < 60*time.Second {
				w := through(p, t.Context(), chat)
				calls.Add(1)
				switch {
				case w.Code != 200 && !strings.HasPrefix(w.Body.String(), `{"error":{"message":"`):
					unanswered.Add(1)
				case w.Code != 200:
					mu.Lock()
					lastFailure = time.Now()
					mu.Unlock()
				}
				time.Sleep(time.Second + time.Duration(4*i)*time.Millisecond)
			}
		})
	}
	time.Sleep(10 * time.Second)
	down.Store(true)
	time.Sleep(30 * time.Second)
	down.Store(false)
	callers.Wait()
	if unanswered.Load() > 0 {
		t.Errorf("failures without an envelope: got %d, want 0", unanswered.Load())
	}
	recovery := lastFailure.Sub(began.Add(40 * time.Second))
	ratio := float64(upstreamCalls.Load()) / float64(calls.Load())
	if ratio > 1.25 {
		t.Errorf("upstream calls of %d calls: got %d, %.2f each; want at most 1.25 each", calls.Load(),
			upstreamCalls.Load(), ratio)
	}
	if recovery > 11*time.Second {
		t.Errorf("from the end of the outage to the last failure: got %v, want at most 11s", recovery)
	}
	t.Logf("%d calls, %.2f upstream calls each; the last failure %v after the end", calls.Load(), ratio,
		recovery.Round(time.Millisecond))
	g.close()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// While a model has no capacity its calls are answered here, others go on, and
// one success ends it.
func TestBreaker(t *testing.T) {
	virtually(t, func(t *testing.T) {
		const other = "@cf/meta/llama-3.2-1b-instruct"
		var busy atomic.Bool
		var calls atomic.Int64
		busy.Store(true)
		config := testConfig(io.Discard)
		config.Retries, config.RetryBudget = 1, 1e-9 // each call is one attempt
		config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if busy.Load() && !strings.Contains(string(body), other) {
				calls.Add(1)
				answerJSON(429,
					`{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)(w, r)
				return
			}
			answerJSON(200, chatAnswer)(w, r)
		})}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 * breaker.MinFailures { // a burst
			if w := through(p, t.Context(), chat); strings.Contains(w.Body.String(), `"origin":"guard"`) {
				t.Fatalf("in a burst: got a call answered by the guard, want none yet: %s", w.Body)
			}
		}
		time.Sleep(breaker.MinPeriod)
		through(p, t.Context(), chat)
		w := through(p, t.Context(), chat)
		wantEqual(t, "status", w.Code, 429)
		wantHas(t, "body", w.Body.String(), `"number":3040`)
		wantHas(t, "body", w.Body.String(), `"origin":"guard"`)
		wantHas(t, "body", w.Body.String(), `"retry_after_ms":1000`)
		wantEqual(t, "X-Should-Retry", w.Header().Get("X-Should-Retry"), "false")
		if w := through(p, t.Context(), strings.Replace(chat, testModel, other, 1)); w.Code != 200 {
			t.Errorf("another model: got status %d, want 200", w.Code)
		}
		if b := p.Breakers(); len(b) != 1 || b[0].Model != testModel {
			t.Errorf("open: got %+v, want one, for %s", b, testModel)
		}
		before, began := calls.Load(), time.Now()
		for time.Since(began) < time.Minute {
			through(p, t.Context(), chat)
			time.Sleep(10 * time.Millisecond)
		}
		if n := calls.Load() - before; n < 6 || n > 12 {
			t.Errorf("trials in a minute: got %d, want 6 to 12", n)
		}
		if n := count(t, config.Metrics, "neuronward_preempted_total", "reason", "capacity", "mode",
			metrics.ModeEnforce); n < 5900 {
			t.Errorf("preempted: got %v, want 5900 or more", n)
		}
		busy.Store(false)
		time.Sleep(breaker.MaxPause)
		for range 10 {
			if w := through(p, t.Context(), chat); w.Code != 200 {
				t.Errorf("there is room again: got status %d, want 200: %s", w.Code, w.Body)
			}
		}
		if b := p.Breakers(); len(b) != 0 {
			t.Errorf("open: got %+v, want none", b)
		}
		synctest.Wait()
	})
}

// count sums the samples of a series whose labels include the given pairs.
func count(t testing.TB, m *metrics.Metrics, name string, labels ...string) float64 {
	t.Helper()
	return (&bench{t: t, metrics: m}).value(name, labels...)
}

// Go's transport sends a call that carries such a header again by itself, though
// it may have run.
func TestIdempotencyKeysStayBehind(t *testing.T) {
	var got http.Header
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		answerJSON(200, chatAnswer)(w, r)
	}))
	b.do("POST", chatPath, chat, "Idempotency-Key", "k", "X-Idempotency-Key", "k")
	if got.Get("Idempotency-Key") != "" || got.Get("X-Idempotency-Key") != "" {
		t.Errorf("upstream: got Idempotency-Key %q, X-Idempotency-Key %q; want neither", got.Get("Idempotency-Key"),
			got.Get("X-Idempotency-Key"))
	}
}

// scriptedAnswers answers each call with the next of its steps, and then with the
// last.
func scriptedAnswers(steps ...func(http.ResponseWriter, *http.Request)) http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		steps[min(int(n.Add(1)), len(steps))-1](w, r)
	})
}

// What an attempt has left behind does not count for the next.
func TestAttemptsBeginAnew(t *testing.T) {
	busy := answerJSON(429, `{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)
	t.Run("the time limit of the first does not end the wait", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			config := testConfig(io.Discard)
			repeatedly(&config)
			config.FirstByteTimeout = time.Second
			config.Transport = inMemory{scriptedAnswers(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "4")
				busy(w, r)
			}, answerJSON(200, chatAnswer))}
			if w := callOnce(t, config, chat); w.Code != 200 {
				t.Errorf("got status %d, want 200: %s", w.Code, w.Body)
			}
		})
	})
	t.Run("nor does the cache hit of the first make the second free", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 1000 * neuron}, workersai.Options{}, repeatedly, func(c *Config) {
				c.Transport = inMemory{scriptedAnswers(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cf-Aig-Cache-Status", "HIT")
					answerJSON(502, "")(w, r)
				}, answerJSON(200, chatAnswer))}
			})
			g.post(chatPath, chat)
			if s := g.close(); s.Account.Used == 0 {
				t.Errorf("cost: got %v, want more than 0", s.Account.Used)
			}
		})
	})
	t.Run("nor is a connection that fails a stream that broke", func(t *testing.T) {
		virtually(t, func(t *testing.T) {
			config := testConfig(io.Discard)
			repeatedly(&config)
			upstream := inMemory{answerJSON(200,
				`{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)}
			var calls atomic.Int64
			config.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				if calls.Add(1) == 1 {
					return upstream.RoundTrip(r)
				}
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			})
			if w := callOnce(t, config, chat); !strings.Contains(w.Body.String(), `"name":"upstream_unreachable"`) ||
				calls.Load() != 3 {
				t.Errorf("got %d calls and %s, want 3 and upstream_unreachable", calls.Load(), w.Body)
			}
		})
	})
}

// A nested body asks to be told at once, too.
func TestNestedRejectIfBusy(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(io.Discard)
		repeatedly(&config)
		config.Transport = inMemory{answerJSON(429,
			`{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`)}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/run",
			strings.NewReader(`{"model":"`+testModel+`","input":{"prompt":"x","options":{"rejectIfBusy":true}}}`)))
		if w.Header().Get("X-Neuronward-Attempts") != "1" {
			t.Errorf("X-Neuronward-Attempts: got %q, want \"1\"", w.Header().Get("X-Neuronward-Attempts"))
		}
	})
}

// A retry that was not made is not counted as one, and the caller is told how
// long its turn takes.
func TestRetryWhoseTurnDoesNotCome(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{}, workersai.Options{}, repeatedly, atPace(t, "text-generation=1", 0))
		w := g.post(chatPath, chat, "X-Simulate", "3040")
		if w.Header().Get("X-Neuronward-Attempts") != "1" || !strings.Contains(w.Body.String(), `"retry_after_ms":6`) {
			t.Errorf("got X-Neuronward-Attempts %q and %s, want \"1\" and a body with %s",
				w.Header().Get("X-Neuronward-Attempts"), w.Body, `"retry_after_ms":6`)
		}
		if n := count(t, g.config.Metrics, "neuronward_retries_total"); n != 0 {
			t.Errorf("retries counted: got %v, want 0", n)
		}
		g.close()
	})
}

// Who leaves in the middle of an answer that a retry brought has been helped by
// it.
func TestRecoveredIsWhatWasTaken(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{}, workersai.Options{Latency: time.Second}, repeatedly)
		ctx, leave := context.WithTimeout(t.Context(), 10*time.Second)
		defer leave()
		func() {
			defer func() { _ = recover() }() // net/http's abort
			g.postWith(ctx, chatPath, strings.Replace(chat, "{", `{"stream":true,"max_tokens":100,`, 1), "X-Simulate",
				"first=3040; times=1")
		}()
		if n := count(t, g.config.Metrics, "neuronward_retries_total", "outcome", "recovered"); n != 1 {
			t.Errorf("recovered: got %v, want 1", n)
		}
		if n := count(t, g.config.Metrics, "neuronward_requests_total", "result", "client_gone"); n != 1 {
			t.Errorf("client_gone: got %v, want 1", n)
		}
		g.close()
	})
}

// However many attempts are allowed, the waits stay waits.
func TestManyRetries(t *testing.T) {
	virtually(t, func(t *testing.T) {
		config := testConfig(io.Discard)
		config.Retries, config.RetryBudget = 100, 1
		config.Transport = inMemory{answerJSON(502, "")}
		p, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		p.retries.budget.credit.Store(1000 * oneAttempt)
		if w := through(p, t.Context(), chat); w.Header().Get("X-Neuronward-Attempts") != "101" {
			t.Errorf("X-Neuronward-Attempts: got %q, with status %d; want \"101\"",
				w.Header().Get("X-Neuronward-Attempts"), w.Code)
		}
	})
}
