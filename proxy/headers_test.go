package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// seenUpstream answers every call and keeps the last request.
func seenUpstream() (http.Handler, *atomic.Pointer[http.Request]) {
	var last atomic.Pointer[http.Request]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		answerJSON(200, chatAnswer)(w, r)
	}), &last
}

// With a clients file only some headers of AI Gateway go upstream, and the gateway's log learns which client called.
func TestHeadersOfAIGateway(t *testing.T) {
	for _, c := range []struct {
		name   string
		caller []string // headers
		entry  string   // further lines of the client's entry
		want   map[string]string
	}{
		{name: "none sent", want: map[string]string{"Cf-Aig-Metadata": `{"neuronward_client":"a"}`}},
		{
			name: "usual ones",
			caller: []string{
				"cf-aig-cache-ttl", "60", "cf-aig-skip-cache", "true", "cf-aig-request-timeout", "5000",
				"cf-aig-session-id", "s1", "cf-aig-metadata", `{"team":"x","neuronward_client":"forged"}`,
			},
			want: map[string]string{
				"Cf-Aig-Cache-Ttl": "60", "Cf-Aig-Skip-Cache": "true", "Cf-Aig-Request-Timeout": "5000",
				"Cf-Aig-Session-Id": "s1", "Cf-Aig-Metadata": `{"neuronward_client":"a","team":"x"}`,
			},
		},
		{
			name: "what changes who pays or how often",
			caller: []string{
				"cf-aig-max-attempts", "5", "cf-aig-byok-alias", "x", "cf-aig-custom-cost", "{}", "cf-aig-gateway-id",
				"other",
				"cf-aig-cache-key", "k", "cf-aig-allowed-models", "openai/*", "cf-aig-metadata", "no JSON",
			},
			want: map[string]string{"Cf-Aig-Metadata": `{"neuronward_client":"a"}`},
		},
		{
			name: "a cache key is the client's own", entry: "gateway_headers: [cf-aig-cache-key, CF-AIG-Gateway-Id]",
			caller: []string{"cf-aig-cache-key", "k", "cf-aig-gateway-id", "main", "cf-aig-max-attempts", "2"},
			want: map[string]string{
				"Cf-Aig-Cache-Key": "a/k", "Cf-Aig-Gateway-Id": "main", "Cf-Aig-Metadata": `{"neuronward_client":"a"}`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			handler, last := seenUpstream()
			b := newBench(t, handler, withClients(t, "a, "+c.entry))
			res, body := b.do("POST", "/v1/chat/completions", chat, append(c.caller, "x-api-key", keyOf("a"))...)
			if res.StatusCode != 200 {
				t.Fatalf("got %d %s, want 200", res.StatusCode, body)
			}
			got := map[string]string{}
			for name, values := range last.Load().Header {
				if strings.HasPrefix(name, "Cf-Aig-") {
					got[name] = strings.Join(values, ",")
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v upstream, want %v", got, c.want)
			}
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s: got %q upstream, want %q", name, got[name], want)
				}
			}
		})
	}
}

// A key of ours or a credential in the wrong place reaches neither upstream nor a log, and is not shown.
func TestSecretsInTheWrongPlace(t *testing.T) {
	ours := "nwk_" + strings.Repeat("a2", 26)
	const own = "callers-own-credential-0123456789"
	for _, c := range []struct {
		name, query string
		header      []string
		token       bool // ours is used
		secret      string
	}{
		{name: "a key in a header", header: []string{"X-Custom", "x " + ours}, token: true, secret: ours},
		{name: "a key as the request id", header: []string{"X-Request-Id", ours}, token: true, secret: ours},
		{name: "a key in the query", query: "?api_key=" + ours + "&keep=1", token: true, secret: ours},
		{name: "an escaped key in the query", query: "?k=%6ewk_" + ours[4:] + "&keep=1", token: true, secret: ours},
		{name: "a key as the caller's own token", header: []string{"Authorization", "Bearer " + ours}, secret: ours},
		{
			name: "the caller's credential twice", secret: own, token: true,
			header: []string{"Authorization", "Bearer " + own, "X-Request-Id", own, "X-Trace", "t=" + own},
		},
		{name: "our token", header: []string{"X-Custom", testToken}, token: true, secret: testToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			handler, last := seenUpstream()
			b := newBench(t, handler, func(config *Config) {
				if !c.token {
					config.Token = nil
				}
			})
			res, body := b.do("POST", "/v1/chat/completions"+c.query, chat, c.header...)
			if res.StatusCode != 200 {
				t.Fatalf("got %d %s, want 200", res.StatusCode, body)
			}
			r := last.Load()
			for name, values := range r.Header {
				if name == "Authorization" && c.token {
					if values[0] != "Bearer "+testToken {
						t.Errorf("got the credentials %q upstream, want %q", values, "Bearer "+testToken)
					}
					continue
				}
				if strings.Contains(strings.Join(values, " "), c.secret) {
					t.Errorf("got %s: %q upstream, want nothing of %q", name, values, c.secret)
				}
			}
			query, err := url.QueryUnescape(r.URL.RawQuery)
			if err != nil {
				t.Errorf("got the query %q upstream (%v), want it well formed", r.URL.RawQuery, err)
			}
			wantLacks(t, "the query upstream", query, c.secret)
			if c.query != "" {
				wantEqual(t, "keep in the query upstream", r.URL.Query().Get("keep"), "1")
			}
			if log := b.log.String(); strings.Contains(log, c.secret) {
				t.Errorf("got the log %s, want nothing of %q in it", log, c.secret)
			}
			for name, values := range res.Header {
				if strings.Contains(strings.Join(values, " "), c.secret) {
					t.Errorf("got %s: %q in the answer, want nothing of %q", name, values, c.secret)
				}
			}
		})
	}
}

func TestHeadersThatStayBehind(t *testing.T) {
	handler, last := seenUpstream()
	b := newBench(t, handler)
	b.do("POST", "/v1/chat/completions", chat, "Cf-Access-Jwt-Assertion", "x", "Cf-Access-Client-Secret", "x",
		"Origin", b.url, "Referer", b.url+"/page", "Payment-Signature", "x", "Payment-Method", "x402")
	for _, name := range []string{
		"Cf-Access-Jwt-Assertion", "Cf-Access-Client-Secret", "Origin", "Referer", "Payment-Signature",
		"Payment-Method",
	} {
		if got := last.Load().Header.Get(name); got != "" {
			t.Errorf("got %s: %q upstream, want it left behind", name, got)
		}
	}
}

// A short request id is kept, even if the caller's token happens to end with it.
func TestAShortRequestIDIsKept(t *testing.T) {
	handler, last := seenUpstream()
	b := newBench(t, handler)
	const id = "789"
	res, _ := b.do("POST", "/v1/chat/completions", chat, "X-Request-Id", id, "Authorization", "Bearer abcdef0123456789")
	if got := res.Header.Get("X-Request-Id"); got != id {
		t.Errorf("got the request id %q in the answer, want %q", got, id)
	}
	if got := last.Load().Header.Get("X-Request-Id"); got != id {
		t.Errorf("got the request id %q upstream, want %q", got, id)
	}
}
