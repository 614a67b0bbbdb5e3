package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
)

// keyOf is the key of a client in tests.
func keyOf(client string) string { return clients.KeyPrefix + "fake-key-of-" + client }

// fileOf is a clients file. Each entry is a name and, behind a comma, what else
// it says: "team, priority: low".
func fileOf(t testing.TB, entries ...string) *clients.Set {
	t.Helper()
	var text strings.Builder
	text.WriteString("clients:\n")
	for _, e := range entries {
		name, rest, _ := strings.Cut(e, ",")
		sum := sha256.Sum256([]byte(keyOf(name)))
		fmt.Fprintf(&text, "  - {name: %s, key_sha256: %s, %s}\n", name, hex.EncodeToString(sum[:]),
			strings.TrimSpace(rest))
	}
	set, err := clients.Parse("clients.yaml", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// withClients gives a proxy the clients of such a file.
func withClients(t testing.TB, entries ...string) func(*Config) {
	set := fileOf(t, entries...)
	return func(c *Config) { c.Clients = func() *clients.Set { return set } }
}

func withoutToken(c *Config) { c.Token = nil }

// asked keeps what upstream was asked, as text in which a key would show.
type asked struct {
	mu   sync.Mutex
	last *http.Request
	all  strings.Builder
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.last = r
	fmt.Fprintf(&a.all, "%s %s %v %v %s\n", r.Method, r.RequestURI, r.Header, r.Trailer, body)
	a.mu.Unlock()
	answerJSON(200, chatAnswer)(w, r)
}

func (a *asked) header(name string) string { return a.last.Header.Get(name) }

func (a *asked) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all.String()
}

func TestAKeyOpensTheDoorAndEndsHere(t *testing.T) {
	for _, c := range []struct {
		name                 string
		header               []string
		ours, theirs         string // with and without a token of ours: the client; "" is 401
		authorization, cfAig string // upstream's without a token of ours
	}{
		{name: "Authorization", header: []string{"Authorization", "Bearer " + keyOf("a")}, ours: "a"},
		{name: "x-api-key", header: []string{"X-Api-Key", keyOf("a")}, ours: "a", theirs: "a"},
		{
			name: "cf-aig-authorization", header: []string{"Cf-Aig-Authorization", "Bearer " + keyOf("b")}, ours: "b",
			theirs: "b",
		},
		{
			name: "beside the caller's token",
			header: []string{
				"X-Api-Key", keyOf("a"), "Authorization",
				"Bearer theirs-0123",
			}, ours: "a", theirs: "a", authorization: "Bearer theirs-0123",
		},
		{
			name:   "beside a dummy",
			header: []string{"X-Api-Key", "unused", "Cf-Aig-Authorization", keyOf("b")}, ours: "b",
			theirs: "b",
		},
		{
			name: "named in Connection",
			header: []string{
				"X-Api-Key", keyOf("a"), "Connection",
				"x-api-key, authorization",
			}, ours: "a", theirs: "a",
		},
		{name: "none"},
		{name: "a stranger's", header: []string{"X-Api-Key", keyOf("nobody")}},
		{name: "of two clients", header: []string{"X-Api-Key", keyOf("a"), "Cf-Aig-Authorization", keyOf("b")}},
		{
			name:   "in both places, of which one goes to Cloudflare",
			header: []string{"X-Api-Key", keyOf("a"), "Authorization", "Bearer " + keyOf("a")}, ours: "a",
		},
		{name: "in no header for keys", header: []string{"X-Auth-Key", keyOf("a")}},
	} {
		for _, own := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, token of ours %t", c.name, own), func(t *testing.T) {
				want, upstream := c.theirs, &asked{}
				change := []func(*Config){withClients(t, "a", "b")}
				if own {
					want = c.ours
				} else {
					change = append(change, withoutToken)
				}
				b := newBench(t, upstream, change...)
				res, body := b.do("POST", chatPath, chat, c.header...)
				if want == "" {
					b.unauthorized(res, body)
					if upstream.last != nil {
						t.Errorf("got the call upstream: %s, want it refused here", upstream.text())
					}
					want = anonymous
				} else {
					authorization := c.authorization
					if own {
						authorization = "Bearer " + testToken
					}
					wantEqual(t, "status", res.StatusCode, 200)
					wantEqual(t, "Authorization upstream", upstream.header("Authorization"), authorization)
					wantEqual(t, "X-Api-Key upstream", upstream.header("X-Api-Key"), "")
					wantEqual(t, "Cf-Aig-Authorization upstream", upstream.header("Cf-Aig-Authorization"), "")
				}
				b.ended()
				if n := b.value("neuronward_requests_total", "client", want); n != 1 {
					t.Errorf("got %v counted calls of %s, want 1", n, want)
				}
				for where, text := range map[string]string{
					"upstream": upstream.text(), "the log": b.log.String(),
					"the answer": fmt.Sprint(res.Header, string(body)),
				} {
					if strings.Contains(text, clients.KeyPrefix) {
						t.Errorf("got %s with a key: %s, want nothing like %q", where, text, clients.KeyPrefix)
					}
				}
				if !strings.Contains(b.log.String(), `"client":"`+want+`"`) {
					t.Errorf("got the log %s, want the client %q in it", b.log, want)
				}
			})
		}
	}
}

// unauthorized checks an answer in the forms that SDKs read.
func (b *bench) unauthorized(res *http.Response, body []byte) {
	b.t.Helper()
	var e struct {
		Error struct {
			Message, Type, Code, Name, Origin, Fault string
			Number, Status                           int
			Retryable                                bool
		}
		Type    string // Anthropic
		Success *bool  // Cloudflare
		Errors  []struct{ Code int }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		b.t.Fatalf("%v: %s", err, body)
	}
	wantEqual(b.t, "status", res.StatusCode, 401)
	wantEqual(b.t, "Www-Authenticate", res.Header.Get("Www-Authenticate"), `Bearer realm="neuronward"`)
	wantEqual(b.t, "X-Should-Retry", res.Header.Get("X-Should-Retry"), "false")
	wantEqual(b.t, "name", e.Error.Name, "client_unauthorized")
	wantEqual(b.t, "number", e.Error.Number, 90004)
	wantEqual(b.t, "status in the envelope", e.Error.Status, 401)
	wantEqual(b.t, "type", e.Error.Type, "authentication_error")
	wantEqual(b.t, "origin", e.Error.Origin, "guard")
	wantEqual(b.t, "fault", e.Error.Fault, "caller")
	wantEqual(b.t, "retryable", e.Error.Retryable, false)
	wantEqual(b.t, "has a message", e.Error.Message != "", true)
	wantEqual(b.t, "type of the envelope", e.Type, "error")
	wantEqual(b.t, "success is false", e.Success != nil && !*e.Success, true)
	wantEqual(b.t, "errors", fmt.Sprint(e.Errors), "[{90004}]")
}

// A gateway reads cf-aig-authorization itself: what callers send there must not
// be taken for its token, whether there is one of ours or none.
func TestAGatewayGetsNoKey(t *testing.T) {
	for _, token := range []string{"", "gateway-canary-0123456789"} {
		upstream := &asked{}
		b := newBench(t, upstream, withClients(t, "a"), func(c *Config) {
			c.Upstream = &url.URL{Scheme: "http", Host: c.Upstream.Host, Path: "/v1/" + testAccount + "/my-gateway"}
			c.API = c.Upstream
			c.GatewayToken = func() string { return token }
		})
		want := ""
		if token != "" {
			want = "Bearer " + token
		}
		for _, call := range [][2]string{{"POST", chatPath}, {"GET", "/ai/models/search"}, {"GET", "/v1/models"}} {
			body := ""
			if call[0] == "POST" {
				body = chat
			}
			if res, answer := b.do(call[0], call[1], body, "Cf-Aig-Authorization",
				"Bearer "+keyOf("a")); res.StatusCode != 200 {
				t.Errorf("%s: got %d %s, want 200", call[1], res.StatusCode, answer)
			}
			if call[0] == "POST" && upstream.header("Cf-Aig-Authorization") != want {
				t.Errorf("got Cf-Aig-Authorization %q at the gateway, want %q", upstream.header("Cf-Aig-Authorization"),
					want)
			}
		}
		if strings.Contains(upstream.text(), clients.KeyPrefix) {
			t.Errorf("got upstream: %s, want nothing that begins with %q", upstream.text(), clients.KeyPrefix)
		}
	}
}

// HTTP/2 has room for trailers behind every body, also one whose length is known.
func TestTrailersOfACallerStayHere(t *testing.T) {
	for _, c := range []struct{ path, kind, body string }{
		{chatPath, "application/json", chat},
		{"/run/@cf/openai/whisper", "audio/wav", "RIFF of no length"},
	} {
		upstream := &asked{}
		server := httptest.NewUnstartedServer(upstream)
		server.EnableHTTP2 = true
		server.StartTLS()
		t.Cleanup(server.Close)
		b := newBench(t, http.NotFoundHandler(), withClients(t, "a"), func(c *Config) {
			u, err := url.Parse(server.URL + "/client/v4")
			if err != nil {
				t.Fatal(err)
			}
			transport := NewTransport()
			trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			transport.TLSClientConfig = &tls.Config{RootCAs: trusted, NextProtos: []string{"h2"}}
			t.Cleanup(transport.CloseIdleConnections)
			c.Upstream, c.Transport = u, transport
		})
		res, body := b.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nAuthorization: "+
			"Bearer %s\r\nTransfer-Encoding: chunked\r\nTrailer: X-Api-Key, X-Note\r\n\r\n%x\r\n%s\r\n0\r\n"+
			"X-Api-Key: %[3]s\r\nX-Note: %[3]s\r\n\r\n",
			c.path, c.kind, keyOf("a"), len(c.body), c.body))
		if res.StatusCode != 200 || upstream.last == nil {
			t.Fatalf("%s: got %d %s, upstream %+v; want 200 and a request upstream", c.path, res.StatusCode, body,
				upstream.last)
		}
		wantEqual(t, c.path+": HTTP upstream", upstream.last.ProtoMajor, 2)
		if text := upstream.text(); strings.Contains(text, clients.KeyPrefix) || strings.Contains(text, "X-Note") {
			t.Errorf("%s: got upstream: %s, want neither %q nor X-Note", c.path, text, clients.KeyPrefix)
		}
	}
}

// What breaks here or at upstream is told and logged without the key in it.
func TestNoFailureShowsTheKey(t *testing.T) {
	key := keyOf("a")
	for name, c := range map[string]struct {
		upstream http.HandlerFunc
		change   func(*Config)
		body     string
	}{
		"upstream echoes it": {upstream: answerJSON(400,
			`{"success":false,"errors":[{"code":5006,"message":"AiError: bad `+key+` in `+key+`"}],"messages":[],`+
				`"result":{}}`)},
		"upstream's unknown failure": {upstream: answerJSON(418, `<h1>`+key+`</h1>`)},
		"a panic": {change: func(c *Config) {
			c.Transport = roundTripper(func(*http.Request) (*http.Response, error) { panic("a bug near " + key) })
		}},
		"an error on the way": {change: func(c *Config) {
			c.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
				return nil,
					fmt.Errorf("no way to %s", key)
			})
		}},
		"the key for a model": {
			body: strings.Replace(chat, testModel, key, 1),
			upstream: answerJSON(400,
				`{"success":false,"errors":[{"code":5007,"message":"No such model `+key+`"}],`+
					`"messages":[],"result":{}}`),
		},
	} {
		for _, header := range []string{"Authorization", "X-Api-Key", "Cf-Aig-Authorization"} {
			t.Run(name+", "+header, func(t *testing.T) {
				if c.upstream == nil {
					c.upstream = http.NotFound
				}
				if c.change == nil {
					c.change = func(*Config) {}
				}
				if c.body == "" {
					c.body = chat
				}
				b := newBench(t, c.upstream, withClients(t, "a"), c.change)
				res, body := b.do("POST", chatPath, c.body, header, "Bearer "+key)
				if res.StatusCode < 400 {
					t.Fatalf("got %d %s, want 400 or more", res.StatusCode, body)
				}
				b.ended()
				failures, _ := json.Marshal(append(b.proxy.RecentFailures(), b.proxy.RecentRefusals()...))
				for where, text := range map[string]string{
					"the answer": fmt.Sprint(res.Header, string(body)),
					"the log":    b.log.String(), "the list of failures": string(failures),
				} {
					if strings.Contains(text, key) ||
						strings.Contains(text, strings.TrimPrefix(key, clients.KeyPrefix)) {
						t.Errorf("got %s with the key: %s, want nothing of %q", where, text, key)
					}
				}
			})
		}
	}
}

// Whoever has a key may call by any name, but not from a web page; whoever has
// none may read what the codes mean.
func TestWhatAKeyDoesNotReplace(t *testing.T) {
	upstream := &asked{}
	b := newBench(t, upstream, withClients(t, "a"))
	for _, c := range []struct {
		name, method, path, header string
		status                     int
	}{
		{"another Host", "POST", chatPath, "Host: proxy.example\r\nX-Api-Key: " + keyOf("a"), 200},
		{"another Host without a key", "POST", chatPath, "Host: proxy.example", 401},
		{
			"a page of another site", "POST", chatPath,
			"Host: localhost\r\nSec-Fetch-Site: cross-site\r\nX-Api-Key: " + keyOf("a"), 403,
		},
		{
			"a page by its origin", "GET", "/v1/models",
			"Host: localhost\r\nOrigin: http://evil.example\r\nX-Api-Key: " + keyOf("a"), 403,
		},
		{"the errors", "GET", "/errors", "Host: localhost", 200},
		{"one error", "GET", "/errors/3040", "Host: proxy.example", 200},
		{"a path that is not", "GET", "/client/v4/zones", "Host: localhost", 401},
		{
			"a path that is not, with a key", "GET", "/client/v4/zones", "Host: localhost\r\nX-Api-Key: " + keyOf("a"),
			404,
		},
		{
			"one header twice", "POST", chatPath,
			"Host: localhost\r\nX-Api-Key: " + keyOf("a") + "\r\nX-Api-Key: " + keyOf("a"), 401,
		},
	} {
		body := ""
		if c.method == "POST" {
			body = chat
		}
		res, answer := b.raw(fmt.Sprintf("%s %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s", c.method, c.path,
			c.header, len(body), body))
		if res.StatusCode != c.status {
			t.Errorf("%s: got %d %.200s, want %d", c.name, res.StatusCode, answer, c.status)
		}
	}
}
