package page

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/demo"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
)

var update = flag.Bool("update", false, "write testdata/afternoon.html")

func written(t testing.TB, in *Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page of a busy afternoon is kept: pictures are made of it, and a change of the page shows in the diff.
func TestAfternoon(t *testing.T) {
	got := written(t, afternoon())
	const golden = "testdata/afternoon.html"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got a page of %d bytes, want %s of %d: look at it and run go test ./cmd/neuronward/admin/page "+
			"-update", len(got), golden, len(want))
	}
}

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&javascript:alert(3)`

// What callers and servers send stays text, wherever it is shown.
func TestTextOfCallersIsInert(t *testing.T) {
	in := afternoon()
	s := in.Status
	in.Unready, s.Version = hostile, hostile
	s.Store.Failure, s.Reconciliation.Failure = new(hostile), new(hostile)
	s.Models[0].Name, s.Clients[0].Name = hostile, hostile
	in.Models[hostile], in.Clients[hostile] = in.Models[llama70b], in.Clients["search"]
	s.Breakers[0].Model, s.Rates[1].Model = hostile, new(hostile)
	for i := range s.Failures {
		f := &s.Failures[i]
		f.Model, f.RequestID, f.Client, f.Route, f.Name = hostile, hostile, hostile, hostile, hostile
	}
	s.Refusals = s.Failures[:3]
	for _, filter := range []string{"", hostile, "nothing " + hostile} {
		in.Filter = filter
		got := written(t, in)
		if n := strings.Count(got, "<script"); n != 1 {
			t.Errorf("got %d scripts, want the page's own alone", n)
		}
		for _, bad := range []string{"<img", "'&java", `="javascript:`, ` onerror=alert(2)>`} {
			if at := strings.Index(got, bad); at >= 0 {
				t.Errorf("got …%s…, want no %q on the page", got[max(at-80, 0):min(at+80, len(got))], bad)
			}
		}
	}
}

// The page consists of its own files: nothing in it needs more than its policy allows.
func TestPageKeepsItsPolicy(t *testing.T) {
	in := afternoon()
	in.Demo = demo.Groups()
	got := written(t, in)
	wantNone(t, "the page", got, " style=", " onclick=", "<style", "https://", "//cdn", "@import", "url(")
	if want := "default-src 'none'"; strings.Contains(Policy, "unsafe") || !strings.HasPrefix(Policy, want) {
		t.Errorf("got policy %s, want %s and nothing unsafe", Policy, want)
	}
	for path, kind := range map[string]string{
		"/page/page.css": "text/css", "/page/page.js": "text/javascript", "/page/icon.svg": "image/svg+xml",
	} {
		if !strings.Contains(got, `"`+path+`"`) {
			t.Errorf("got a page without %s, want it on\n%s", path, got)
		}
		w := httptest.NewRecorder()
		ServeFile(w, httptest.NewRequest("GET", path, nil))
		body := w.Body.String()
		if w.Code != 200 || body == "" {
			t.Errorf("%s: got %d and %d bytes, want 200 and some", path, w.Code, len(body))
		}
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s: got %s, want %s", path, got, kind)
		}
		wantNone(t, path, body, "url(", "@import")
	}
	w := httptest.NewRecorder()
	ServeFile(w, httptest.NewRequest("GET", "/page/page.html", nil))
	if w.Code != 404 {
		t.Errorf("another file: got %d, want 404", w.Code)
	}
}

func TestEmptyPage(t *testing.T) {
	in := &Input{Now: three, Status: &status.Status{Today: status.Today{Mode: "off", Plan: "paid"}}}
	in.Status = judged(in.Status, in)
	got := written(t, in)
	for _, want := range []string{
		"Neurons are not counted.", "No call has failed.", "No call has failed since the start.",
		"Nobody has called today.", "Ready: calls are accepted.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got a page without %q, want it on\n%s", want, got)
		}
	}
	wantNone(t, "the page", got, "Quota block", "class=\"plot\"", "Try it", "data-figure")
}

// wantNone reports each of bads that is in text.
func wantNone(t *testing.T, where, text string, bads ...string) {
	t.Helper()
	for _, bad := range bads {
		if strings.Contains(text, bad) {
			t.Errorf("got %q in %s, want none of it in\n%s", bad, where, text)
		}
	}
}

// Many models, clients and failures: what a big page costs.
func BenchmarkWrite(b *testing.B) {
	in := afternoon()
	s := in.Status
	for len(s.Models) < 100 {
		m := s.Models[len(s.Models)%6]
		hour := in.Models[m.Name]
		m.Name = fmt.Sprint(m.Name, len(s.Models))
		s.Models, in.Models[m.Name] = append(s.Models, m), hour
	}
	for len(s.Clients) < 100 {
		c := s.Clients[len(s.Clients)%4]
		hour := in.Clients[c.Name]
		c.Name = fmt.Sprint(c.Name, len(s.Clients))
		s.Clients, in.Clients[c.Name] = append(s.Clients, c), hour
	}
	page := written(b, in)
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(io.Discard, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(page)), "bytes/page")
}
