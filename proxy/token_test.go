package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/tokenblock"
)

const tokenRefused = `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}`

// A tokenCheck is a Cloudflare that accepts one token.
type tokenCheck struct {
	accepts atomic.Value // string
	refusal string
	calls   atomic.Int64
}

func (tc *tokenCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tc.calls.Add(1)
	if r.Header.Get("Authorization") != "Bearer "+tc.accepts.Load().(string) {
		answerJSON(http.StatusUnauthorized, tc.refusal)(w, r)
		return
	}
	answerJSON(http.StatusOK, chatAnswer)(w, r)
}

func tokenBench(t *testing.T, refusal string, change ...func(*Config)) (*Proxy, *Config, *tokenCheck) {
	t.Helper()
	tc := &tokenCheck{refusal: refusal}
	tc.accepts.Store("good")
	config := testConfig(io.Discard)
	config.Transport = inMemory{tc}
	for _, f := range change {
		f(&config)
	}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return p, &config, tc
}

func TestRefusedTokenIsNotSentAgainAndAgain(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, config, tc := tokenBench(t, tokenRefused)
		first := through(p, t.Context(), chat)
		wantEqual(t, "status", first.Code, http.StatusBadGateway)
		wantHas(t, "body", first.Body.String(), `"origin":"upstream","fault":"operator"`)
		wantHas(t, "body", first.Body.String(), "this proxy's own API token")
		began := time.Now()
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				for time.Since(began) < tokenblock.Pause {
					w := through(p, t.Context(), chat)
					wantEqual(t, "status", w.Code, http.StatusBadGateway)
					time.Sleep(time.Second)
				}
			})
		}
		callers.Wait()
		if got := tc.calls.Load(); got > 2 {
			t.Errorf("calls of 64 callers in %v: got %d sent, want 2 at most", tokenblock.Pause, got)
		}
		if got := count(t, config.Metrics, "neuronward_preempted_total", "reason", "credentials"); got < 500 {
			t.Errorf("neuronward_preempted_total: got %v, want 500 at least", got)
		}
		tc.calls.Store(0)
		if tc.accepts.Store(testToken); through(p, t.Context(), chat).Code != http.StatusOK {
			t.Error("a probe that passes: got a failure, want a success")
		}
		for range 3 {
			through(p, t.Context(), chat)
		}
		wantEqual(t, "calls after it", tc.calls.Load(), 4)
	})
}

func TestAnswerWhileTheTokenIsRefused(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, _, tc := tokenBench(t, tokenRefused)
		through(p, t.Context(), chat)
		w := through(p, t.Context(), chat)
		wantEqual(t, "status", w.Code, http.StatusBadGateway)
		for _, part := range []string{
			`"name":"authentication_failed","number":10000,"status":502,"origin":"guard","fault":"operator"`,
			`"matched_by":"latched","upstream":null`, "this proxy's own API token",
		} {
			wantHas(t, "body", w.Body.String(), part)
		}
		wantEqual(t, "X-Should-Retry", w.Header().Get("X-Should-Retry"), "false")
		list := httptest.NewRecorder()
		p.ServeHTTP(list, httptest.NewRequest(http.MethodGet, "http://localhost/v1/models", nil))
		wantHas(t, "the list of models", list.Body.String(), `"matched_by":"latched"`)
		other := httptest.NewRecorder()
		p.ServeHTTP(other, httptest.NewRequest(http.MethodPost, "http://localhost/client/v4/accounts/"+
			strings.Repeat("f", 32)+"/ai/v1/chat/completions", strings.NewReader(chat)))
		wantHas(t, "another account", other.Body.String(), `"name":"account_mismatch"`)
		wantEqual(t, "calls sent", tc.calls.Load(), 1)
	})
}

func TestAnotherTokenIsTriedAtOnce(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var token atomic.Value
		token.Store("refused-token")
		p, _, _ := tokenBench(t, tokenRefused, func(c *Config) {
			c.Token = func() string { return token.Load().(string) }
		})
		through(p, t.Context(), chat)
		wantEqual(t, "the same token", through(p, t.Context(), chat).Code, http.StatusBadGateway)
		token.Store("good")
		wantEqual(t, "another token", through(p, t.Context(), chat).Code, http.StatusOK)
	})
}

func TestTokensOfCallersBlockNobody(t *testing.T) {
	virtually(t, func(t *testing.T) {
		p, _, tc := tokenBench(t, tokenRefused, func(c *Config) { c.Token = func() string { return "" } })
		for range 3 {
			w := through(p, t.Context(), chat, "Authorization", "Bearer wrong")
			wantEqual(t, "a refused token of a caller's", w.Code, http.StatusUnauthorized)
		}
		wantEqual(t, "calls sent", tc.calls.Load(), 3)
		w := through(p, t.Context(), chat, "Authorization", "Bearer good")
		wantEqual(t, "another caller", w.Code, http.StatusOK)
		w = through(p, t.Context(), chat)
		wantEqual(t, "no token", w.Code, http.StatusUnauthorized)
		wantHas(t, "no token", w.Body.String(), "This proxy has no Cloudflare API token, and the call brought none.")
	})
}

// A permission that is missing, or a provider's key that is refused, says nothing of our token.
func TestOtherRefusalsBlockNothing(t *testing.T) {
	for name, refusal := range map[string]string{
		"a permission":     `{"success":false,"errors":[{"code":9109,"message":"Unauthorized to access"}]}`,
		"a provider's key": `{"error":{"message":"No auth credentials found","code":401}}`,
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				p, _, tc := tokenBench(t, refusal)
				for range 3 {
					w := through(p, t.Context(), chat)
					wantEqual(t, "status", w.Code, http.StatusBadGateway)
					wantLacks(t, "body", w.Body.String(), "this proxy's own API token")
				}
				wantEqual(t, "calls sent", tc.calls.Load(), 3)
			})
		})
	}
}
