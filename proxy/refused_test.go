package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/recent"
)

// logged counts the lines of the log that have this message and name, and sums their count.
func (b *bench) logged(msg, name string) (lines, count int) {
	b.t.Helper()
	for text := range strings.Lines(b.log.String()) {
		var line struct {
			Msg, Name string
			Count     int
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			b.t.Fatalf("a line of the log: got error %v, want JSON: %s", err, text)
		}
		if line.Msg == msg && line.Name == name {
			lines++
			count += line.Count
		}
	}
	return lines, count
}

// Whoever has no key can be refused without end. That fills neither the log nor the list of failures, and is counted
// call by call.
func TestFloodOfRefusals(t *testing.T) {
	const floods, flood = 3, 400 // seconds, and calls in each
	for _, c := range []struct {
		name, code, path, host string
		status                 int
		header                 []string
		clients                bool
	}{
		{name: "no key", code: "client_unauthorized", status: 401, path: chatPath, host: "localhost", clients: true},
		{name: "another host", code: "client_forbidden", status: 403, path: chatPath, host: "evil.example"},
		{
			name: "another origin", code: "client_forbidden", status: 403, path: chatPath, host: "localhost",
			header: []string{"Origin", "http://evil.example"},
		},
		{
			name: "another site, with a key", code: "client_forbidden", status: 403, path: chatPath, host: "localhost",
			header: []string{"Sec-Fetch-Site", "cross-site", "X-Api-Key", keyOf("a")}, clients: true,
		},
		{name: "another path", code: "route_not_proxied", status: 404, path: "/client/v4/zones", host: "localhost"},
		{
			name: "another path, with a key", code: "route_not_proxied", status: 404, path: "/v1", host: "localhost",
			header: []string{"X-Api-Key", keyOf("a")}, clients: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				b := &bench{t: t, log: &safeBuffer{}}
				config := testConfig(b.log)
				b.metrics = config.Metrics
				if c.clients {
					withClients(t, "a")(&config)
				}
				var err error
				if b.proxy, err = New(config); err != nil {
					t.Fatal(err)
				}
				call := func(path, body, host string, header ...string) int {
					r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
					r.Host = host
					for i := 0; i < len(header); i += 2 {
						r.Header.Set(header[i], header[i+1])
					}
					w := httptest.NewRecorder()
					b.proxy.ServeHTTP(w, r)
					return w.Code
				}
				if got := call(chatPath, "{", "localhost", "X-Api-Key", keyOf("a")); got != http.StatusBadRequest {
					t.Fatalf("a call that fails otherwise: got %d, want %d", got, http.StatusBadRequest)
				}
				for range floods {
					for range flood {
						if got := call(c.path, chat, c.host, c.header...); got != c.status {
							t.Fatalf("got %d, want %d", got, c.status)
						}
					}
					time.Sleep(time.Second)
					synctest.Wait()
				}
				b.ended()

				failures, refusals := b.proxy.RecentFailures(), b.proxy.RecentRefusals()
				if len(failures) != 1 || failures[0].Status != http.StatusBadRequest {
					t.Errorf("got last failures %+v, want one, that before the flood, with status %d", failures,
						http.StatusBadRequest)
				}
				if len(refusals) != recent.Max || refusals[0].Name != c.code {
					t.Errorf("got %d refusals, the first %+v; want %d, the first %s", len(refusals),
						refusals[:min(1, len(refusals))], recent.Max, c.code)
				}
				if got := b.value("neuronward_requests_total", "result", c.code); got != floods*flood {
					t.Errorf("got %v calls counted, want %d", got, floods*flood)
				}
				if got := b.value("neuronward_errors_total", "name", c.code); got != floods*flood {
					t.Errorf("got %v failures counted, want %d", got, floods*flood)
				}
				if lines, _ := b.logged("call failed", c.code); lines != floods*maxRefused {
					t.Errorf("got %d refusals logged by themselves, want %d", lines, floods*maxRefused)
				}
				more := "more calls were refused than are logged one by one"
				lines, count := b.logged(more, c.code)
				if lines != floods || count != floods*(flood-maxRefused) {
					t.Errorf("got %d lines of %d more, want %d of %d", lines, count, floods,
						floods*(flood-maxRefused))
				}
			})
		})
	}
}

// A client of ours that may not call a model is for somebody to look at: it is listed and logged as any failure.
func TestRefusalOfAClient(t *testing.T) {
	const calls = 3 * maxRefused
	b := newBench(t, http.HandlerFunc(http.NotFound), withClients(t, "a, models: ['@cf/baai/*']"))
	for range calls {
		if res, body := b.do("POST", chatPath, chat, "X-Api-Key", keyOf("a")); res.StatusCode != http.StatusForbidden {
			t.Fatalf("got status %d %s, want 403", res.StatusCode, body)
		}
	}
	b.ended()
	if n := len(b.proxy.RecentFailures()); n != calls {
		t.Errorf("got %d failures, want %d", n, calls)
	}
	if lines, _ := b.logged("call failed", "client_forbidden"); lines != calls {
		t.Errorf("got %d lines, want %d", lines, calls)
	}
}

// The status page says of a failure what the caller was told, where he called, and Cloudflare's name for the call.
func TestFailuresForTheStatusPage(t *testing.T) {
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cf-Ray", "9a0b1c2d3e4f5a6b-FRA")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"errors":[{"code":3040,"message":"Capacity temporarily exceeded, `+
			strings.Repeat("x", 2*maxMessage)+`"}]}`)
	}))
	b.do("POST", chatPath+"?q=1", chat, "X-Request-Id", "the-id")
	b.ended()
	all := b.proxy.RecentFailures()
	if len(all) != 1 {
		t.Fatalf("got %+v, want one failure", all)
	}
	f := all[0]
	wantEqual(t, "request id", f.RequestID, "the-id")
	wantEqual(t, "cf-ray", f.Ray, "9a0b1c2d3e4f5a6b-FRA")
	wantEqual(t, "method and path", f.Method+" "+f.Path, "POST "+chatPath)
	const begins = "Capacity temporarily exceeded"
	if n := len(f.Message); !strings.HasPrefix(f.Message, begins) || n > maxMessage+len("…") {
		t.Errorf("got a message of %d bytes, %s; want %s first and %d at most", n, f.Message, begins, maxMessage)
	}
}

// A request that was refused because it is not valid HTTP counts as a failure of its caller and as no call.
func TestRefusalsOfTheShellAreCounted(t *testing.T) {
	b := newBench(t, http.NotFoundHandler())
	b.proxy.CountRefusal(&normalize.Failure{
		Code: normalize.BadInput, Status: http.StatusRequestHeaderFieldsTooLarge, Origin: normalize.OriginGuard,
		RequestID: "id",
	})
	errors := b.value("neuronward_errors_total", "name", "bad_input", "fault", "caller", "origin", "guard")
	wantEqual(t, "errors", errors, 1)
	wantEqual(t, "calls", b.sum("neuronward_requests_total"), 0)
	wantEqual(t, "recent failures", len(b.proxy.RecentFailures()), 0)
	refusals := b.proxy.RecentRefusals()
	if len(refusals) != 1 {
		t.Fatalf("refusals: got %d, want 1", len(refusals))
	}
	got := refusals[0]
	got.Time = time.Time{}
	wantEqual(t, "refusal", got, recent.Failure{
		RequestID: "id", Client: "anonymous", Route: "none", Status: 431, Name: "bad_input", Number: 5006,
		Origin: "guard", Fault: "caller", Message: "The input does not fit what the model takes.",
	})
}

// The line of a call that was refused says what was called, without secrets and bounded; that of another call does not.
func TestRefusedCallsAreLoggedWithTheirPath(t *testing.T) {
	long := "/run/@cf/" + strings.Repeat("x", 180) + testToken
	for _, c := range []struct{ name, method, path, body, want string }{
		{
			"model that is not allowed", "POST", chatPath, strings.Replace(chat, testModel, "openai/gpt-5.5", 1),
			`"method":"POST","path":"/v1/chat/completions"`,
		},
		{"method", "DELETE", chatPath, "", `"method":"DELETE","path":"/v1/chat/completions"`},
		{"no route", "GET", "/zones", "", `"method":"GET","path":"/zones"`},
		{"a secret in the path", "PUT", long, "", `"method":"PUT","path":"/run/@cf/`},
		{"success", "POST", chatPath, chat, ""},
	} {
		b := newBench(t, answerJSON(http.StatusOK, `{"choices":[]}`))
		b.do(c.method, c.path, c.body)
		b.ended()
		line := b.log.String()
		if got := strings.Contains(line, `"path":`); got != (c.want != "") || !strings.Contains(line, c.want) {
			t.Errorf("%s: got the line %s, want it to have %s", c.name, line, c.want)
		}
		wantLacks(t, c.name, line, testToken[:6])
		if _, path, _ := strings.Cut(line, `"path":"`); strings.IndexByte(path, '"') > maxPathText {
			t.Errorf("%s: got the line %s, want a path of %d bytes", c.name, line, maxPathText)
		}
	}
}
