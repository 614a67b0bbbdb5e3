package admin

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/page"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// browsed is what the admin listener answers to a browser; header is pairs of name and value.
func browsed(t *testing.T, o Options, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:3037"+path, strings.NewReader(body))
	r.Header.Set("Accept", browser)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	o.Metrics = http.NotFoundHandler()
	Handler(o).ServeHTTP(w, r)
	return w
}

func TestPageForPeople(t *testing.T) {
	const secret = "odd+secret&of<mine>"
	o := Options{Redact: hiding(secret), Minutes: minutes.New(), Unready: func() string { return "dial " + secret }, Status: func(context.Context) *status.Status {
		return &status.Status{Today: status.Today{Mode: "off"}, Failures: []proxy.FailureRecord{
			{Client: "<script>alert(1)</script>", Model: "a", RequestID: "one"}, {Client: "team", Model: "b", RequestID: "two"},
		}}
	}}
	w := browsed(t, o, "GET", "/", "")
	got := w.Body.String()
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("Content-Security-Policy") != page.Policy || w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(w.Header().Get("Vary"), "Accept") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(got, secret) || strings.Contains(got, template.HTMLEscapeString(secret)) || !strings.Contains(got, "dial [redacted]") {
		t.Error("a secret is on the page, or what was around it is not")
	}
	if strings.Contains(got, "<script>alert") || !strings.Contains(got, "&lt;script&gt;alert(1)") {
		t.Error("what a caller says is not inert")
	}
	if strings.Contains(got, "Try it") {
		t.Error("there are buttons though this is no demo")
	}
	if w := browsed(t, o, "POST", "/demo/try", "try=chat", "Content-Type", "application/x-www-form-urlencoded"); w.Code != 404 && w.Code != 405 {
		t.Errorf("a button that is not there: %d", w.Code)
	}
	if got := browsed(t, o, "GET", "/?q=two", "").Body.String(); strings.Contains(got, "<code>one</code>") || !strings.Contains(got, "<code>two</code>") {
		t.Error("the page does not filter")
	}
	if got := browsed(t, o, "GET", "/?q="+strings.Repeat("x", 5000), "").Body.String(); strings.Contains(got, strings.Repeat("x", mostFilter+1)) {
		t.Error("a filter of any length is on the page")
	}
	for _, c := range []struct {
		accept, agent string
		page          bool
	}{{"*/*", "curl/8.5.0", false}, {"text/plain", "", false}, {"text/html", "curl/8.5.0", true}, {"*/*", "Go-http-client/1.1", true}, {"", "", true}} {
		w := browsed(t, o, "GET", "/", "", "Accept", c.accept, "User-Agent", c.agent)
		if list := strings.HasPrefix(w.Body.String(), "neuronward, admin listener\n"); list == c.page || c.page && w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%+v: %.100s", c, w.Body)
		}
	}
	o.CheckHost, o.Hosts = true, proxy.NewHosts()
	if w := browsed(t, o, "GET", "/", "", "Host", "evil.example"); w.Code != 200 {
		t.Errorf("a header that is not the host: %d", w.Code)
	}
}

func TestErrorReferenceForPeople(t *testing.T) {
	for path, want := range map[string]int{"/errors": 200, "/errors/out_of_capacity": 200, "/errors/4006": 200, "/errors/nothing": 404, "/errors/a/b": 404} {
		w := browsed(t, Options{Redact: hiding("none")}, "GET", path, "")
		if w.Code != want || want == 200 && (!strings.Contains(w.Body.String(), `<a href="/">Today</a>`) || w.Header().Get("Content-Security-Policy") == "") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := browsed(t, Options{Redact: hiding("none")}, "GET", "/errors/3040", "", "Accept", "application/json"); w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v", w.Header())
	}
}

// The demo's buttons call the app listener, for this page's readers alone.
func TestButtons(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.Header.Get("X-Simulate") {
		case "reset":
			panic(http.ErrAbortHandler)
		case "empty":
			return
		case "midstream=cut; after=3":
			fmt.Fprint(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Path", r.URL.Path)
		w.WriteHeader(418)
		fmt.Fprintf(w, "<b>%s</b> %s", r.Header.Get("X-Simulate"), body)
	}))
	t.Cleanup(app.Close)
	o := Options{Redact: hiding("none"), Demo: app.URL, Minutes: minutes.New(), Unready: func() string { return "" }, Status: func(context.Context) *status.Status { return &status.Status{Today: status.Today{Mode: "off"}} }}
	for _, c := range []struct {
		name, try, accept string
		header            []string
		status            int
		has               []string
	}{
		{"a chat", "chat", "text/plain", nil, 200, []string{"$ curl -siN " + app.URL + "/v1/chat/completions \\\n", "HTTP/1.1 418", "x-path: /v1/chat/completions\n", `"content": "Hello"`, "(after "}},
		{"a code", "code-out_of_capacity", "text/plain", nil, 200, []string{"-H 'x-simulate: out_of_capacity'", "<b>out_of_capacity</b>"}},
		{"no answer", "reset", "text/plain", nil, 200, []string{"(the connection was cut: "}},
		{"a stream that is cut", "cut", "text/plain", nil, 200, []string{"data: 1\n\n", "(the connection was cut: "}},
		{"without a script", "code-out_of_capacity", browser, nil, 200, []string{"<h2 id=\"try-head\">Try it</h2>", "&lt;b&gt;out_of_capacity&lt;/b&gt;"}},
		{"no such button", "x; rm -rf", "text/plain", nil, 404, []string{"there is no such button"}},
		{"no such button, without a script", "", browser, nil, 404, []string{"there is no such button"}},
		{"from this page", "chat", "text/plain", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:3037"}, 200, []string{"HTTP/1.1 418"}},
		{"from another site", "chat", "text/plain", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, nil},
		{"from another site, by an old browser", "chat", "text/plain", []string{"Origin", "https://evil.example"}, 403, nil},
		{"from another port of this host", "chat", "text/plain", []string{"Sec-Fetch-Site", "same-site"}, 403, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := browsed(t, o, "POST", "/demo/try", "try="+c.try, append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", c.accept}, c.header...)...)
			for _, has := range c.has {
				if !strings.Contains(w.Body.String(), has) {
					t.Errorf("%q is not in\n%s", has, w.Body)
				}
			}
			if w.Code != c.status {
				t.Errorf("%d, want %d", w.Code, c.status)
			}
		})
	}
	if w := browsed(t, o, "GET", "/demo/try", ""); w.Code != 405 {
		t.Errorf("to ask for a button: %d", w.Code)
	}
}
