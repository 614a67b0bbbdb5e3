package main

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/page"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// browsed is what the admin listener answers to a browser; header is pairs of name and value.
func browsed(t *testing.T, a admin, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:3037"+path, strings.NewReader(body))
	r.Header.Set("Accept", browser)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.metrics = http.NotFoundHandler()
	a.handler().ServeHTTP(w, r)
	return w
}

func TestPageForPeople(t *testing.T) {
	const secret = "odd+secret&of<mine>"
	red := new(config.Redactor)
	red.Add(secret)
	a := admin{redactor: red, page: func(context.Context) *page.State {
		return &page.State{Now: time.Now(), Mode: config.ModeOff, Unready: "dial " + secret, Last: []proxy.FailureRecord{
			{Client: "<script>alert(1)</script>", Model: "a", RequestID: "one"}, {Client: "team", Model: "b", RequestID: "two"},
		}}
	}}
	w := browsed(t, a, "GET", "/", "")
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
	if w := browsed(t, a, "POST", "/demo/try", "try=chat", "Content-Type", "application/x-www-form-urlencoded"); w.Code != 404 && w.Code != 405 {
		t.Errorf("a button that is not there: %d", w.Code)
	}
	if got := browsed(t, a, "GET", "/?q=two", "").Body.String(); strings.Contains(got, "<code>one</code>") || !strings.Contains(got, "<code>two</code>") {
		t.Error("the page does not filter")
	}
	if got := browsed(t, a, "GET", "/?q="+strings.Repeat("x", 5000), "").Body.String(); strings.Contains(got, strings.Repeat("x", mostFilter+1)) {
		t.Error("a filter of any length is on the page")
	}
	for _, c := range []struct {
		accept, agent string
		page          bool
	}{{"*/*", "curl/8.5.0", false}, {"text/plain", "", false}, {"text/html", "curl/8.5.0", true}, {"*/*", "Go-http-client/1.1", true}, {"", "", true}} {
		w := browsed(t, a, "GET", "/", "", "Accept", c.accept, "User-Agent", c.agent)
		if list := strings.HasPrefix(w.Body.String(), "neuronward, admin listener\n"); list == c.page || c.page && w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%+v: %.100s", c, w.Body)
		}
	}
	a.checkHost, a.hosts = true, proxy.NewHosts()
	if w := browsed(t, a, "GET", "/", "", "Host", "evil.example"); w.Code != 200 {
		t.Errorf("a header that is not the host: %d", w.Code)
	}
}

func TestErrorReferenceForPeople(t *testing.T) {
	for path, want := range map[string]int{"/errors": 200, "/errors/out_of_capacity": 200, "/errors/4006": 200, "/errors/nothing": 404, "/errors/a/b": 404} {
		w := browsed(t, admin{redactor: new(config.Redactor)}, "GET", path, "")
		if w.Code != want || want == 200 && (!strings.Contains(w.Body.String(), `<a href="/">Today</a>`) || w.Header().Get("Content-Security-Policy") == "") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := browsed(t, admin{redactor: new(config.Redactor)}, "GET", "/errors/3040", "", "Accept", "application/json"); w.Header().Get("Content-Type") != "application/json" {
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
	a := admin{redactor: new(config.Redactor), tries: newTries(app.URL), page: func(context.Context) *page.State { return &page.State{Mode: config.ModeOff} }}
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
			w := browsed(t, a, "POST", "/demo/try", "try="+c.try, append([]string{"Content-Type", "application/x-www-form-urlencoded", "Accept", c.accept}, c.header...)...)
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
	if w := browsed(t, a, "GET", "/demo/try", ""); w.Code != 405 {
		t.Errorf("to ask for a button: %d", w.Code)
	}
}

// The page tells the figures that /status tells.
func TestPageTellsWhatStatusTells(t *testing.T) {
	n, c, m := counting(t)
	m.Minutes().Ended(time.Now(), &minutes.Call{Model: "m1", Client: "team", Duration: time.Second})
	m.Minutes().Ended(time.Now(), &minutes.Call{Model: "new", Client: "free", Failed: true})
	s := statusPage{day: n.today(t.Context(), c), Failures: []proxy.FailureRecord{{RequestID: "r"}}}
	st := n.forPeople(&s, m.Minutes(), "why")
	d := st.Day
	if d.Used != 4.000001 || d.Reserved != 3 || *d.Limit != 10_000 || *d.Remaining != quota.Neurons(*s.Remaining).Float() || d.Rate <= 0 || st.Unready != "why" || len(st.Last) != 1 {
		t.Errorf("%+v", d)
	}
	if len(st.Models) != 3 || st.Models[0].Name != "m2" || st.Models[1].Hour.Calls != 1 || st.Models[2].Name != "new" || st.Models[2].Hour.Failed != 1 {
		t.Errorf("%+v", st.Models)
	}
	if len(st.Clients) != 3 || *st.Clients[1].Limit != 50 || st.Clients[1].Neurons != 2 || st.Clients[2].Name != "free" {
		t.Errorf("%+v", st.Clients)
	}
	if len(d.Hours) == 0 || d.Hours[len(d.Hours)-1] != d.Used {
		t.Errorf("hours %v", d.Hours)
	}
	off := &neurons{}
	s = statusPage{day: off.today(t.Context(), c)}
	if st := off.forPeople(&s, m.Minutes(), ""); st.Day != nil || len(st.Models) != 2 {
		t.Errorf("while nothing is counted: %+v", st)
	}
}

func TestTheDayIsSampled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the race detector of Go 1.26 crashes when two processors fire timers of one bubble
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 40*time.Minute)
		n, err := newNeurons(t.Context(), quota.Options{Store: quota.NewMemory(nil), Limit: 100 * quota.OneNeuron}, config.ClientsFile{}.Budgets, price.Bound, func() error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		m := minutes.New()
		ended := make(chan struct{})
		go func() { defer close(ended); n.sample(ctx, m) }()
		time.Sleep(10*time.Minute + samplePause/2) // between two looks
		res, _, err := n.ledger.Reserve(t.Context(), quota.Call{Model: "m", Estimate: 5 * quota.OneNeuron})
		if err != nil {
			t.Fatal(err)
		}
		res.Settle(quota.Cost{Neurons: 4 * quota.OneNeuron, Basis: quota.Reported})
		time.Sleep(40 * time.Minute)
		now := time.Now()
		day := now.Unix() / 86400
		yesterday, today := m.Samples(day-1, now), m.Samples(day, now)
		if len(yesterday) != 20 || yesterday[19].Used != 4 || yesterday[9].Used != 0 || len(today) != 31 || today[0].Used != 0 {
			t.Errorf("%d samples of yesterday, %d of today; the last of yesterday %+v, the first of today %+v", len(yesterday), len(today), yesterday[len(yesterday)-1], today[0])
		}
		cancel()
		<-ended
		if err := n.ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	(&neurons{}).sample(t.Context(), nil) // returns: there is nothing to look at
}
