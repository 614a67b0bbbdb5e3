package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// raw sends bytes as they are and reads the answer.
func (b *bench) raw(request string) (*http.Response, []byte) {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatalf("%.80q: %v", request, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, body
}

func TestForeignPathsNeverReachUpstream(t *testing.T) {
	var reached atomic.Pointer[string]
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Store(&r.RequestURI)
		answerJSON(200, chatAnswer)(w, r)
	}))
	ours := "/client/v4/accounts/" + testAccount
	for _, c := range []struct {
		target string
		slug   string // "" is route_not_proxied
	}{
		{target: "/"},
		{target: "/v1"},
		{target: "/v1/"},
		{target: "/v1/chat"},
		{target: "/v1/completions"},
		{target: "/V1/chat/completions"},
		{target: "/v1/Chat/Completions"},
		{target: "/v1//chat/completions"},
		{target: "//v1/chat/completions"},
		{target: "/v1/./chat/completions"},
		{target: "/v1/x/../chat/completions"},
		{target: "/v1/%2e%2e/v1/chat/completions"},
		{target: "/v1/%2E./chat/completions"},
		{target: "/v1/%252e%252e/chat/completions"},
		{target: "/v1/chat%252Fcompletions"},
		{target: `/v1\chat\completions`},
		{target: "/v1%5Cchat%5Ccompletions"},
		{target: "/v1/chat/completions;x=1"},
		{target: "/v1;/chat/completions"},
		{target: "/v1/chat/completions%00"},
		{target: "/v1/chat/completions%0d%0aX:1"},
		{target: "/v1/chat/completions%23"},
		{target: "/v1/chat/completions%3fx"},
		{target: "/v1/chat/completions%20"},
		{target: "/run/@cf/../../../../user/tokens/verify"},
		{target: "/run/@cf%2F..%2F..%2F..%2Ftokens"},
		{target: "/run/@cf/%2e%2e/x"},
		{target: "/run/%2e%2e/models/search"},
		{target: "/run/@cf//meta"},
		{target: "/run/@cf%2F%2Fmeta"},
		{target: "/run/@cf/meta/llama;/x"},
		{target: "/run/@cf/meta/a%25b"},
		{target: "/run/."},
		{target: "/run/.."},
		{target: "/run/%E2%80%AE"},
		{target: "/ai"},
		{target: "/ai/"},
		{target: "/ai/tokens"},
		{target: "/ai/run/../../tokens"},
		{target: "/client/v4/user/tokens/verify"},
		{target: "/client/v4/zones"},
		{target: "/client/v4/accounts"},
		{target: ours},
		{target: ours + "/ai"},
		{target: ours + "/tokens"},
		{target: ours + "/workers/scripts"},
		{target: ours + "/ai/../tokens"},
		{target: ours + "/ai/%2e%2e/tokens"},
		{target: ours + "/AI/run/x"},
		{target: ours + "//ai/run/x"},
		{target: ours + "/ai/finetunes/x/finetune-assets"},
		{target: "/client/v4/accounts//ai/run/x"},
		{target: "/client/v4/accounts/../accounts/x/ai/run/x"},
		{target: "/client/v3/accounts/" + testAccount + "/ai/run/x"},
		{target: "/client/v4/graphql"},
		{target: "/client/v4/accounts/00000000000000000000000000000000/ai/run/" + testModel, slug: "account_mismatch"},
		{
			target: "/client/v4/accounts/" + strings.ToUpper(testAccount) + "/ai/run/" + testModel,
			slug:   "account_mismatch",
		},
		{target: ours + "/ai/finetunes", slug: "method_not_allowed"},
		{target: "/ai/finetunes", slug: "method_not_allowed"},
		{target: "/ai/models/search", slug: "method_not_allowed"},
		{target: "http://localhost/v1/completions"},
		{target: "http://localhost/client/v4/user"},
	} {
		if c.slug == "" {
			c.slug = "route_not_proxied"
		}
		t.Run(c.target, func(t *testing.T) {
			reached.Store(nil)
			res, body := b.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s",
				c.target, len(chat), chat))
			if res.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("got %d of type %q, want application/json: %s", res.StatusCode,
					res.Header.Get("Content-Type"), body)
			}
			e := b.envelope(body).Error
			wantEqual(t, "name", e.Name, c.slug)
			wantEqual(t, "status in the envelope", e.Status, res.StatusCode)
			wantEqual(t, "origin", e.Origin, "guard")
			if uri := reached.Load(); uri != nil {
				t.Errorf("got a call upstream to %s, want none", *uri)
			}
		})
	}
	for _, c := range []struct{ method, target, slug string }{
		{"GET", ours + "/tokens", "route_not_proxied"},
		{"GET", "/client/v4/user/tokens", "route_not_proxied"},
		{"GET", "/client/v4/zones", "route_not_proxied"},
		{"PUT", ours + "/workers/scripts/x", "route_not_proxied"},
		{"DELETE", "/client/v4/zones/x", "route_not_proxied"},
		{"PATCH", ours + "/ai-gateway/gateways", "route_not_proxied"},
		{"DELETE", "/ai/finetunes", "method_not_allowed"},
		{"PUT", "/ai/finetunes/public", "method_not_allowed"},
		{"POST", "/ai/finetunes/x/finetune-assets/", "route_not_proxied"},
		{"DELETE", "/run/" + testModel, "method_not_allowed"},
		{"GET", "/run", "method_not_allowed"},
		{"TRACE", "/v1/chat/completions", "method_not_allowed"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			reached.Store(nil)
			res, body := b.raw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", c.method,
				c.target))
			e := b.envelope(body).Error
			wantEqual(t, "name", e.Name, c.slug)
			wantEqual(t, "status in the envelope", e.Status, res.StatusCode)
			wantEqual(t, "reached upstream", reached.Load() != nil, false)
		})
	}
	t.Run("CONNECT", func(t *testing.T) {
		res, body := b.raw("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n")
		if e := b.envelope(body); e.Error.Name != "route_not_proxied" {
			t.Errorf("got %d %s, want route_not_proxied", res.StatusCode, body)
		}
		wantHas(t, "body", string(body), "does not pass CONNECT localhost:443. It is no forward proxy")
	})
	t.Run("a WebSocket", func(t *testing.T) {
		res, body := b.raw("GET /ai/models/search HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " +
			"websocket\r\n\r\n")
		if e := b.envelope(body); e.Error.Name != "route_not_proxied" {
			t.Errorf("got %d %s, want route_not_proxied", res.StatusCode, body)
		}
	})
	t.Run("another method", func(t *testing.T) {
		res, body := b.do("GET", "/v1/chat/completions", "")
		wantEqual(t, "name", b.envelope(body).Error.Name, "method_not_allowed")
		wantEqual(t, "status", res.StatusCode, 405)
		wantEqual(t, "Allow", res.Header.Get("Allow"), "POST")
	})
	t.Run("absolute form of a path that passes", func(t *testing.T) {
		reached.Store(nil)
		b.raw(fmt.Sprintf("POST http://localhost/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: "+
			"%d\r\n\r\n%s", len(chat), chat))
		if uri := reached.Load(); uri == nil {
			t.Errorf("got no call upstream, want one to %s", ours+"/ai/v1/chat/completions")
		} else if *uri != ours+"/ai/v1/chat/completions" {
			t.Errorf("got a call upstream to %s, want %s", *uri, ours+"/ai/v1/chat/completions")
		}
	})
}

func TestWebPagesAreRefused(t *testing.T) {
	b := newBench(t, answerJSON(200, chatAnswer), func(c *Config) { c.Hosts = []string{"Proxy.Internal"} })
	for _, c := range []struct {
		name, method, host string
		header             []string
		allowed            bool
	}{
		{name: "no browser", allowed: true},
		{name: "localhost", host: "localhost:3036", allowed: true},
		{name: "LOCALHOST.", host: "LOCALHOST.", allowed: true},
		{name: "IPv6", host: "[::1]:3036", allowed: true},
		{name: "a configured name", host: "proxy.internal:3036", allowed: true},
		{name: "a rebound name", host: "evil.example"},
		{name: "a rebound name with a port", host: "evil.example:3036"},
		{name: "a name below localhost", host: "x.localhost"},
		{name: "looks like an address", host: "127.0.0.1.evil.example"},
		{name: "a page of another site", header: []string{"Sec-Fetch-Site", "cross-site"}},
		{name: "a page of a sibling", header: []string{"Sec-Fetch-Site", "same-site"}},
		{name: "a page of our own", header: []string{"Sec-Fetch-Site", "same-origin"}, allowed: true},
		{name: "typed by a person", header: []string{"Sec-Fetch-Site", "none"}, allowed: true},
		{name: "an old browser", header: []string{"Origin", "https://evil.example"}},
		{name: "a sandboxed page", header: []string{"Origin", "null"}},
		{
			name: "a preflight", method: "OPTIONS",
			header: []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"},
		},
		{name: "a read of another site", method: "GET", header: []string{"Sec-Fetch-Site", "cross-site"}},
		{name: "fetch of Node", header: []string{"Sec-Fetch-Mode", "cors"}, allowed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, body := c.method, "/v1/chat/completions", chat
			if method == "" {
				method = "POST"
			}
			if method == "GET" {
				path, body = "/ai/models/search", ""
			}
			r, _ := http.NewRequest(method, b.url+path, strings.NewReader(body))
			r.Host = c.host
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			answer, _ := io.ReadAll(res.Body)
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("got the CORS header %s, want none", name)
				}
			}
			if c.allowed {
				if res.StatusCode != 200 {
					t.Errorf("got %d %s, want 200", res.StatusCode, answer)
				}
				return
			}
			if e := b.envelope(answer); res.StatusCode != 403 || e.Error.Name != "client_forbidden" {
				t.Errorf("got %d %s, want 403 client_forbidden", res.StatusCode, answer)
			}
		})
	}
	t.Run("beyond loopback any name will do", func(t *testing.T) {
		b := newBench(t, answerJSON(200, chatAnswer), func(c *Config) { c.Loopback = false })
		r, _ := http.NewRequest("POST", b.url+"/v1/chat/completions", strings.NewReader(chat))
		r.Host = "gateway.example"
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("got %v, %v, want status 200, nil", res, err)
		}
		res.Body.Close()
	})
}

// The shell is told which requests become a call: those of known clients, whatever comes of them, and those that go
// upstream.
func TestAcceptedRequestsAreTold(t *testing.T) {
	for _, clients := range []bool{true, false} {
		var accepted atomic.Int32
		options := []func(*Config){func(c *Config) {
			c.OnAccept = func(request context.Context) {
				if request.Value(http.ServerContextKey) == nil {
					t.Error("got another context than the request's")
				}
				accepted.Store(1)
			}
		}}
		if clients {
			options = append(options, withClients(t, "one"))
		}
		b := newBench(t, answerJSON(200, chatAnswer), options...)
		for _, c := range []struct {
			name, path, body, key string
			ofAClient, ofAnyone   int32
		}{
			{"a call", chatPath, chat, keyOf("one"), 1, 1},
			{"no key", chatPath, chat, "", 0, 1},
			{"an unknown key", chatPath, chat, keyOf("two"), 0, 1},
			{"a body that is none", chatPath, "?", keyOf("one"), 1, 0},
			{"a path that is none", "/none", chat, keyOf("one"), 0, 0},
		} {
			accepted.Store(0)
			header := []string{}
			if c.key != "" {
				header = []string{"X-Api-Key", c.key}
			}
			res, _ := b.do("POST", c.path, c.body, header...)
			want := c.ofAnyone
			if clients {
				want = c.ofAClient
			}
			if got := accepted.Load(); got != want {
				t.Errorf("%s, with a clients file %t, status %d: got %d told, want %d", c.name, clients, res.StatusCode,
					got, want)
			}
		}
	}
}
