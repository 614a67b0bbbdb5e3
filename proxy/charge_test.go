package proxy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/workload"
)

// estimate is what is set aside for a chat completion.
func (g *guarded) estimate(body string) quota.Neurons {
	return g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
		requestOf("v1/chat/completions", workload.TextGeneration, body)).Neurons
}

// Each entry of the catalog that Workers AI says costs what its charge says:
// nothing, what a failure reports of its cost, or all that was set aside.
func TestChargeOfEachEntry(t *testing.T) {
	chat := strings.Replace(chat, `{`, `{"max_tokens":1000,`, 1) // may cost more than what is reported
	for _, e := range normalize.Catalog() {
		if e.Source == normalize.SourceOwn && e.Code != normalize.Unclassified {
			continue
		}
		for _, c := range []struct {
			name     string
			reports  reporting
			reported quota.Neurons
		}{
			{"no word of the cost", reporting{}, 0},
			{"the cost in the header, rounded", reporting{header: true}, quota.FromFloat(12.505)},
			{"the cost in the body", reporting{body: true}, quota.FromFloat(12.5)},
		} {
			t.Run(e.Slug+", "+c.name, func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
						func(config *Config) {
							c.reports.next = config.Transport
							config.Transport = c.reports
						})
					w := g.post(chatPath, chat, "X-Simulate", e.Slug)
					if !strings.Contains(w.Body.String(), `"name":"`+e.Slug+`"`) ||
						!strings.Contains(w.Body.String(), `"origin":"upstream"`) {
						t.Fatalf("got %d %s, want the name %s and the origin upstream", w.Code, w.Body, e.Slug)
					}
					want, known := map[normalize.Charge]quota.Neurons{
						normalize.ChargeNone: 0, normalize.ChargeReported: c.reported,
						normalize.ChargeEstimate: g.estimate(chat),
					}[e.Charge]
					if used := g.close().Account.Used; !known || used != want {
						t.Errorf("charge %s, known %v: got used %v, want known true, used %v", e.Charge, known, used,
							want)
					}
				})
			})
		}
	}
}

// reporting is a transport whose failures say that they cost 12.5 neurons. Those
// that are no JSON can only say it in the header.
type reporting struct {
	next         http.RoundTripper
	header, body bool
}

func (r reporting) RoundTrip(out *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	if r.body && bytes.HasPrefix(body, []byte("{")) {
		body = append([]byte(`{"usage":{"neurons":12.5},`), body[1:]...)
	}
	if r.header {
		res.Header.Set("Cf-Ai-Neurons", "12.50")
	}
	res.Header.Del("Content-Length")
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// Each entry that this proxy says itself, in its own words or in those of Workers
// AI: what it refuses costs nothing, what may have reached upstream costs all.
func TestChargeOfOwnFailures(t *testing.T) {
	const nothing = ""
	post := func(g *guarded) *httptest.ResponseRecorder { return g.post(chatPath, chat) }
	simulate := func(what, body string) func(*guarded) *httptest.ResponseRecorder {
		return func(g *guarded) *httptest.ResponseRecorder { return g.post(chatPath, body, "X-Simulate", what) }
	}
	var store *unwilling
	type situation struct {
		name   string
		code   normalize.Code
		costs  string // all that is set aside for this body; of a stream that began, what came of it
		limit  quota.Neurons
		change func(*Config)
		call   func(*guarded) *httptest.ResponseRecorder
	}
	situations := []situation{
		{"a web page calls", normalize.ClientForbidden, nothing, 0, nil, func(g *guarded) *httptest.ResponseRecorder {
			return g.post(chatPath, chat, "Sec-Fetch-Site", "cross-site")
		}},
		{"another account", normalize.AccountMismatch, nothing, 0, nil, func(g *guarded) *httptest.ResponseRecorder {
			return g.post("/client/v4/accounts/another/ai/v1/chat/completions", chat)
		}},
		{
			"an unknown path", normalize.RouteNotProxied, nothing, 0, nil,
			func(g *guarded) *httptest.ResponseRecorder { return g.post("/v1/threads", chat) },
		},
		{
			"a wrong method", normalize.MethodNotAllowed, nothing, 0, nil,
			func(g *guarded) *httptest.ResponseRecorder { return g.post("/v1/models", chat) },
		},
		{"a body that is too large", normalize.RequestTooLarge, nothing, 0, func(c *Config) { c.MaxBody = 10 }, post},
		{"no room for the body", normalize.Overloaded, nothing, 0, func(c *Config) { c.MaxHeld = 1 }, post},
		{
			"a model of the paid plan", normalize.PaidPlanRequired, nothing, 0, func(c *Config) { c.FreePlan = true },
			func(g *guarded) *httptest.ResponseRecorder {
				return g.post(chatPath, strings.Replace(chat, testModel, "@cf/moonshotai/kimi-k2.6", 1))
			},
		},
		{"more than the day has", normalize.AccountLimited, nothing, neuron, nil, post},
		{
			"calls in flight hold what it needs", normalize.QuotaContended, chat, 10 * neuron, nil,
			func(g *guarded) *httptest.ResponseRecorder {
				ctx, leave := context.WithCancel(context.Background())
				defer synctest.Wait()
				defer leave() // only this one costs something
				go g.postWith(ctx, chatPath, chat, "X-Simulate", "hang")
				synctest.Wait()
				return post(g)
			},
		},
		{"draining", normalize.ShuttingDown, nothing, 0, nil, func(g *guarded) *httptest.ResponseRecorder {
			g.proxy.Drain()
			return post(g)
		}},
		{"the store fails", normalize.StoreUnavailable, nothing, 0, nil, func(g *guarded) *httptest.ResponseRecorder {
			store.fails.Store(true)
			defer store.fails.Store(false)
			return post(g)
		}},
		{
			"no connection", normalize.UpstreamUnreachable, nothing, 0, func(c *Config) { c.Transport = unwritten{} },
			post,
		},
		{
			"a reset before the answer", normalize.UpstreamUnreachable, chat, 0,
			func(c *Config) { c.Transport = resets{} }, post,
		},
		{"no answer in time", normalize.Timeout, chat, 0, nil, simulate("hang", chat)},
		{"silence in a stream", normalize.Timeout, streamChat, 0, nil, simulate("midstream=idle", streamChat)},
		{
			"a stream that is cut", normalize.StreamInterrupted, streamChat, 0, nil,
			simulate("midstream=cut", streamChat),
		},
		{"an answer that is cut", normalize.StreamInterrupted, chat, 0, nil, simulate("midstream=cut", chat)},
		{
			"a panic before the call is written", normalize.Internal, nothing, 0,
			func(c *Config) { c.Transport = panicking{} }, post,
		},
		{"a panic after it", normalize.Internal, chat, 0, func(c *Config) { c.Transport = panickingLate{} }, post},
		{
			"the caller leaves a call that is not streamed", normalize.Aborted, chat, 0, nil,
			func(g *guarded) *httptest.ResponseRecorder {
				ctx, leave := context.WithTimeout(context.Background(), time.Second)
				defer leave()
				return g.postWith(ctx, chatPath, chat, "X-Simulate", "hang")
			},
		},
	}
	for _, c := range situations {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				store = &unwilling{Store: memstore.New(time.Now)}
				g := newGuarded(t, quota.Options{Limit: cmp.Or(c.limit, 10_000*neuron), Store: store},
					workersai.Options{}, func(config *Config) {
						if c.change != nil {
							c.change(config)
						}
					})
				func() {
					defer func() { _ = recover() }() // the cut after a terminal event
					c.call(g)
				}()
				least, most := quota.Neurons(0), quota.Neurons(0)
				switch {
				case c.costs == streamChat: // two words came, and a second's generation may have followed
					least = g.sentOf("v1/chat/completions", testModel, streamChat, 2+100)
					most = g.sentOf("v1/chat/completions", testModel, streamChat, 4*2+100)
				case c.costs != nothing:
					least = g.estimate(c.costs)
					most = least
				}
				b := &bench{t: t, metrics: g.config.Metrics}
				if n := b.value("neuronward_errors_total", "name", c.code.String()); n != 1 {
					t.Errorf("got %v failures of the name %s, want 1\n%s", n, c.code, g.log)
				}
				if used := g.close().Account.Used; used < least || used > most {
					t.Errorf("got used %v, want %v to %v\n%s", used, least, most, g.log)
				}
			})
		})
	}
	// What is refused by the guard alone is never written: its charge can be no other.
	for _, e := range normalize.Catalog() {
		seen := slices.ContainsFunc(situations, func(c situation) bool { return c.code == e.Code })
		guards := slices.Equal(e.Origins, []normalize.Origin{normalize.OriginGuard})
		if e.Source == normalize.SourceOwn && e.Code != normalize.Unclassified && !seen &&
			!(guards && e.Charge == normalize.ChargeNone) {
			t.Errorf("%s: got no situation that leads to it, want one", e.Slug)
		}
	}
}

// unwilling is a store that fails when it is told to.
type unwilling struct {
	quota.Store
	fails atomic.Bool
}

func (s *unwilling) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if s.fails.Load() {
		return quota.Reply{}, errors.New("the disk is gone")
	}
	return s.Store.Sync(ctx, r)
}

// resets is a transport whose connections break once the call is on its way.
type resets struct{}

func (resets) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return nil, syscall.ECONNRESET
}

// panickingLate is a transport with a bug that shows once the call is on its way.
type panickingLate struct{}

func (panickingLate) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic("late")
}
