package proxy

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// floodCalls is how many calls are made at once in each disguise, ten times as many as where all are mixed.
const floodCalls = 90

// A disguise is a way to write a call that could hide from this proxy what it costs.
type disguise struct {
	name, path string
	body       string
	header     http.Header
	gateway    bool   // upstream is an AI Gateway
	status     int    // of every call, where each is refused; 0: some are answered
	refused    string // the name of that error
}

// A billingUpstream answers no call until all are made, and keeps a bill of its own. It reads bodies as leniently as
// any parser might: see lenientBill.
type billingUpstream struct {
	t      *testing.T
	gate   chan struct{}
	mu     sync.Mutex
	calls  int
	billed quota.Neurons
}

func (u *billingUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		u.t.Errorf("reading what came upstream: %v", err)
	}
	cost := lenientBill(r, body)
	u.mu.Lock()
	u.calls++
	u.billed += cost
	u.mu.Unlock()
	<-u.gate
	usage := fmt.Sprintf(`{"neurons":%.6f}`, cost.Float())
	answerJSON(200, `{"result":{"response":"x","usage":`+usage+`},"success":true}`)(w, r)
}

// floodInDisguise makes that many calls of each disguise, all at once, against one limit. It checks that no more is
// billed than the limit and no more than is counted, and returns how many of each were answered.
func floodInDisguise(t *testing.T, calls int, disguises ...disguise) []int {
	t.Helper()
	const limit = 10_000 * neuron
	u := &billingUpstream{t: t, gate: make(chan struct{})}
	g := newGuarded(t, quota.Options{Limit: limit}, workersai.Options{}, func(c *Config) {
		c.Transport, c.MaxHeld, c.MaxInFlight = inMemory{u}, 1<<30, 1<<20
	})
	behind := g.config
	behind.Upstream = &url.URL{Scheme: "https", Host: "gateway.invalid", Path: "/v1/" + testAccount + "/my-gateway"}
	gateway, err := New(behind)
	if err != nil {
		t.Fatal(err)
	}
	answers := make([][]*httptest.ResponseRecorder, len(disguises))
	var wg sync.WaitGroup
	for i, d := range disguises {
		answers[i] = make([]*httptest.ResponseRecorder, calls)
		proxy := g.proxy
		if d.gateway {
			proxy = gateway
		}
		for j := range answers[i] {
			w := httptest.NewRecorder()
			answers[i][j] = w
			r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost"+d.path,
				strings.NewReader(d.body))
			maps.Copy(r.Header, d.header)
			wg.Go(func() { proxy.ServeHTTP(w, r) })
		}
	}
	synctest.Wait()
	close(u.gate)
	wg.Wait()
	used := g.close().Account.Used
	if u.billed > limit {
		t.Errorf("got %v billed, want at most the limit of %v", u.billed, limit)
	}
	if used < u.billed {
		t.Errorf("got %v used, want at least the %v billed", used, u.billed)
	}
	answered := make([]int, len(disguises))
	all := 0
	for i, d := range disguises {
		for _, w := range answers[i] {
			if w.Code == 200 {
				answered[i]++
			} else if want := `"name":"` + d.refused + `"`; d.status != 0 && (w.Code != d.status ||
				!strings.Contains(w.Body.String(), want)) {
				t.Fatalf("%s: got %d %s, want %d with %s", d.name, w.Code, w.Body, d.status, want)
			}
		}
		all += answered[i]
	}
	if u.calls != all {
		t.Errorf("got %d calls upstream, want the %d that were answered", u.calls, all)
	}
	t.Logf("%d calls answered, %.1f neurons billed, %.1f used", all, u.billed.Float(), used.Float())
	return answered
}

// However a body is disguised, a flood of it does not pass the limit of the day: the call is refused, or it is counted
// as upstream will read it.
func TestDisguisedBodiesDoNotPassTheLimit(t *testing.T) {
	all := disguises()
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				got := floodInDisguise(t, floodCalls, d)[0]
				if d.status != 0 && got != 0 {
					t.Errorf("got %d calls answered, want none", got)
				}
				if d.status == 0 && (got == 0 || got == floodCalls) {
					t.Errorf("got %d calls answered, want some and not all: the flood needs more than the limit", got)
				}
			})
		})
	}
	t.Run("all in one day", func(t *testing.T) {
		virtually(t, func(t *testing.T) { floodInDisguise(t, floodCalls/10, all...) })
	})
}
