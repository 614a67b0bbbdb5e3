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
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/page"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/recent"
)

const (
	browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	form    = "application/x-www-form-urlencoded"
)

// pageOptions are those of a proxy that counts nothing.
func pageOptions() Options {
	return Options{
		Metrics: http.NotFoundHandler(), Redact: hiding("none"), Minutes: minutes.New(),
		Unready: func() string { return "" },
		Status:  func(context.Context) *status.Status { return &status.Status{Today: status.Today{Mode: "off"}} },
	}
}

// browse asks the admin listener as a browser does; header is pairs of name and value.
func browse(t *testing.T, o Options, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:3037"+path, strings.NewReader(body))
	r.Header.Set("Accept", browser)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(o).ServeHTTP(w, r)
	return w
}

// holds reports each of wants that is not in an answer.
func holds(t *testing.T, w *httptest.ResponseRecorder, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("want %q, got\n%s", want, w.Body)
		}
	}
}

// lacks reports each of bads that is in an answer.
func lacks(t *testing.T, w *httptest.ResponseRecorder, bads ...string) {
	t.Helper()
	for _, bad := range bads {
		if strings.Contains(w.Body.String(), bad) {
			t.Errorf("want no %q, got\n%s", bad, w.Body)
		}
	}
}

func TestPage(t *testing.T) {
	const secret = "odd+secret&of<mine>"
	o := pageOptions()
	o.Redact = hiding(secret)
	o.Unready = func() string { return "dial " + secret }
	o.Status = func(context.Context) *status.Status {
		return &status.Status{Today: status.Today{Mode: "off"}, Failures: []recent.Failure{
			{Client: "<script>alert(1)</script>", Model: "a", RequestID: "one"},
			{Client: "team", Model: "b", RequestID: "two"},
		}}
	}
	w := browse(t, o, "GET", "/", "")
	if w.Code != 200 {
		t.Errorf("got %d, want 200", w.Code)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": page.Policy,
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if got := w.Header().Get("Vary"); !strings.HasPrefix(got, "Accept") {
		t.Errorf("got Vary %q, want Accept first", got)
	}
	holds(t, w, "dial [redacted]", "&lt;script&gt;alert(1)")
	lacks(t, w, secret, template.HTMLEscapeString(secret), "<script>alert", "Try it")

	w = browse(t, o, "POST", "/demo/try", "try=chat", "Content-Type", form)
	if w.Code != 404 && w.Code != 405 {
		t.Errorf("a button that is not there: got %d, want 404 or 405", w.Code)
	}
	w = browse(t, o, "GET", "/?q=two", "")
	holds(t, w, `data-id="request">two</code>`)
	lacks(t, w, `data-id="request">one</code>`)
	lacks(t, browse(t, o, "GET", "/?q="+strings.Repeat("x", 5000), ""), strings.Repeat("x", maxFilter+1))

	o.CheckHost, o.Hosts = true, proxy.NewHosts()
	if w := browse(t, o, "GET", "/", "", "Host", "evil.example"); w.Code != 200 {
		t.Errorf("a header that is not the host: got %d, want 200", w.Code)
	}
}

func TestWhoGetsThePage(t *testing.T) {
	for _, c := range []struct {
		accept, agent string
		page          bool
	}{
		{"*/*", "curl/8.5.0", false},
		{"text/plain", "", false},
		{"text/html", "curl/8.5.0", true},
		{"*/*", "Go-http-client/1.1", true},
		{"", "", true},
	} {
		w := browse(t, pageOptions(), "GET", "/", "", "Accept", c.accept, "User-Agent", c.agent)
		want, begins := "text/plain; charset=utf-8", "neuronward, admin listener\n"
		if c.page {
			want, begins = "text/html; charset=utf-8", "<!doctype html>"
		}
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%+v: got %s, want %s", c, got, want)
		}
		if !strings.HasPrefix(w.Body.String(), begins) {
			t.Errorf("%+v: got %.100s, want %q first", c, w.Body, begins)
		}
	}
}

// judged is the status of a day on which no call was made lately.
func judged(d status.Today) *status.Status {
	s := &status.Status{Today: d}
	s.Verdict = status.Judge(s, nil, 0, time.Now())
	return s
}

// The page shows the figures of /status, and the last hour of the calls beside them.
func TestPageShowsTheStatus(t *testing.T) {
	o := pageOptions()
	o.Status = func(context.Context) *status.Status { return judged(today()) }
	now := time.Now()
	o.Minutes.Ended(now, &minutes.Call{Model: "m1", Client: "team", Duration: time.Second})
	o.Minutes.Ended(now, &minutes.Call{Model: "new", Client: "free", Failed: true})
	w := browse(t, o, "GET", "/", "")
	holds(
		t, w,
		`data-figure="used" data-value="4.000001"`, `data-figure="reserved" data-value="3"`,
		`data-figure="remaining" data-value="9992.999999"`, "4 of 10,000 neurons spent.",
		`<tr role="row" data-key="m1">`, `<tr role="row" data-key="new">`,
		`<tr role="row" data-key="team">`, `<tr role="row" data-key="free">`, "4 % of 50<",
	)
	body := w.Body.String()
	if spent, not := strings.Index(body, `data-key="m1"`), strings.Index(body, `data-key="new"`); spent > not {
		t.Errorf("got the model that spent at byte %d, want it before that which did not, at %d", spent, not)
	}
	o.Status = pageOptions().Status
	w = browse(t, o, "GET", "/", "")
	holds(t, w, `<tr role="row" data-key="m1">`, `<tr role="row" data-key="new">`)
	lacks(t, w, "data-figure")
}

func TestErrorReference(t *testing.T) {
	for path, want := range map[string]int{
		"/errors": 200, "/errors/out_of_capacity": 200, "/errors/4006": 200, "/errors/nothing": 404, "/errors/a/b": 404,
		"/errors/insufficient_quota": 200, "/errors/429": 200, "/errors?q=nothing+at+all": 200, "/errors?q=4006": 200,
	} {
		w := browse(t, pageOptions(), "GET", path, "")
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
		if want != 200 {
			continue
		}
		holds(t, w, `<a href="/">Today</a>`)
		if got := w.Header().Get("Content-Security-Policy"); got == "" {
			t.Errorf("%s: got policy %q, want one", path, got)
		}
	}
	w := browse(t, pageOptions(), "GET", "/errors?q=insufficient_quota", "", "Accept", "application/json")
	holds(t, w, `"name": "account_limited"`, `"name": "priority_floor"`)
	lacks(t, w, `"name": "out_of_capacity"`)
	w = browse(t, pageOptions(), "GET", "/errors/3040", "", "Accept", "application/json")
	if got, want := w.Header().Get("Content-Type"), "application/json"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// app answers as the app listener might.
func app(w http.ResponseWriter, r *http.Request) {
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
}

// The demo's buttons call the app listener, and only for readers of this page.
func TestButtons(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(app))
	t.Cleanup(server.Close)
	o := pageOptions()
	o.Demo = server.URL
	code := []string{"-H 'x-simulate: out_of_capacity'", "<b>out_of_capacity</b>"}
	for _, c := range []struct {
		name, key, accept string
		header            []string
		status            int
		holds             []string
	}{
		{name: "a chat", key: "chat", status: 200, holds: []string{
			"$ curl -siN " + server.URL + "/v1/chat/completions \\\n", "HTTP/1.1 418", "x-path: /v1/chat/completions\n",
			`"content": "Hello"`, "(after ",
		}},
		{name: "a code", key: "code-out_of_capacity", status: 200, holds: code},
		{name: "no answer", key: "reset", status: 200, holds: []string{"(the connection was cut: "}},
		{
			name: "a stream that is cut", key: "cut", status: 200,
			holds: []string{"data: 1\n\n", "(the connection was cut: "},
		},
		{name: "without a script", key: "code-out_of_capacity", accept: browser, status: 200, holds: code},
		{name: "no such button", key: "x; rm -rf", status: 404, holds: []string{"there is no such button"}},
		{name: "no button", accept: browser, status: 404, holds: []string{"there is no such button"}},
		{
			name: "from this page", key: "chat", status: 200, holds: []string{"HTTP/1.1 418"},
			header: []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:3037"},
		},
		{
			name: "from another site", key: "chat", status: 403,
			header: []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		},
		{
			name: "from another site, by an old browser", key: "chat", status: 403,
			header: []string{"Origin", "https://evil.example"},
		},
		{
			name: "from another port of this host", key: "chat", status: 403,
			header: []string{"Sec-Fetch-Site", "same-site"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			accept := c.accept
			if accept == "" {
				accept = "text/plain"
			}
			header := append([]string{"Content-Type", form, "Accept", accept}, c.header...)
			w := browse(t, o, "POST", "/demo/try", "try="+c.key, header...)
			holds(t, w, c.holds...)
			if w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
			if got, want := w.Header().Get("Content-Type"), plainText; c.status == 200 && got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if w := browse(t, o, "GET", "/demo/try", ""); w.Code != 405 {
		t.Errorf("GET of a button: got %d, want 405", w.Code)
	}
	holds(t, browse(t, o, "GET", "/", ""), "Try it", `<button name="try" value="chat">Send a chat</button>`)
}
