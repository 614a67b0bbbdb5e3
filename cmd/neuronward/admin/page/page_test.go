package page

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

var update = flag.Bool("update", false, "write testdata/afternoon.html")

func written(t testing.TB, s *State, r Request) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page of a busy afternoon is kept: pictures are made of it, and a change of what is drawn is seen.
func TestAfternoon(t *testing.T) {
	got := plain(written(t, afternoon(), Request{}))
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
		t.Errorf("the page has changed: look at it, and keep it with go test ./cmd/neuronward/admin/page -update")
	}
}

// plain is a page without the hashes in the paths of its files.
func plain(page string) string { return hashes.ReplaceAllString(page, "/page/") }

var hashes = regexp.MustCompile(`/page/[0-9a-f]{12}/`)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'&javascript:alert(3)`

// What callers and servers say stays text, wherever it is shown.
func TestWhatCallersSayIsInert(t *testing.T) {
	s := afternoon()
	s.Unready, s.Store.Failure, s.Day.FigureFailure, s.Version = hostile, hostile, hostile, hostile
	s.Models[0].Name, s.Clients[0].Name = hostile, hostile
	s.Breakers[0].Model, s.Rates[1].Model = hostile, new(hostile)
	for i := range s.Last {
		s.Last[i].Model, s.Last[i].RequestID, s.Last[i].Client, s.Last[i].Route, s.Last[i].Name = hostile, hostile, hostile, hostile, hostile
	}
	for _, r := range []Request{{}, {Filter: hostile}, {Filter: "nothing " + hostile}, {Tries: true, Tried: &Tried{Text: hostile}}} {
		got := written(t, s, r)
		if n := strings.Count(got, "<script"); n != 1 {
			t.Errorf("%d scripts, want the page's own alone", n)
		}
		for _, bad := range []string{"<img", "'&java", `="javascript:`, ` onerror=alert(2)>`} {
			if at := strings.Index(got, bad); at >= 0 {
				t.Errorf("%q is on the page: …%s…", bad, got[max(at-80, 0):min(at+80, len(got))])
			}
		}
	}
}

// The page is made of its own files: nothing in it needs more than its policy gives.
func TestNothingInThePageNeedsMoreThanItsPolicy(t *testing.T) {
	got := written(t, afternoon(), Request{Tries: true, Tried: &Tried{Text: "x"}})
	for _, bad := range []string{" style=", " onclick=", "<style", "http://", "https://", "//cdn", "@import", "url("} {
		if strings.Contains(got, bad) && bad != "http://" {
			t.Errorf("%q is on the page", bad)
		}
	}
	if strings.Contains(Policy, "unsafe") || !strings.HasPrefix(Policy, "default-src 'none'") {
		t.Error(Policy)
	}
	for _, path := range hashed(got) {
		w := httptest.NewRecorder()
		ServeFile(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 || w.Body.Len() == 0 || strings.Contains(w.Body.String(), "url(") || strings.Contains(w.Body.String(), "@import") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	ServeFile(w, httptest.NewRequest("GET", "/page/000000000000/page.css", nil))
	if w.Code != 404 {
		t.Errorf("a file of another version: %d", w.Code)
	}
}

func hashed(page string) []string {
	return regexp.MustCompile(`/page/[0-9a-f]{12}/[a-z.]+`).FindAllString(page, -1)
}

func TestFilterOfFailures(t *testing.T) {
	s := afternoon()
	for filter, want := range map[string]int{"": 50, "  ": 50, s.Last[7].RequestID: 1, "no such thing": 0} {
		if rows := lastOf(s.Last, filter); len(rows) != want {
			t.Errorf("%q: %d rows, want %d", filter, len(rows), want)
		}
	}
	rows := lastOf(s.Last, "SUPPORT-bot 3040")
	if len(rows) == 0 || len(rows) == 50 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Client != "support-bot" || r.Number != "3040" {
			t.Errorf("%+v", r)
		}
	}
	if got := written(t, s, Request{Filter: "support-bot"}); !strings.Contains(got, `value="support-bot"`) || strings.Contains(got, `data-of="client">search<`) {
		t.Error("the page does not filter by itself")
	}
}

func TestPageWhereThereIsNothing(t *testing.T) {
	got := written(t, &State{Now: three, Mode: "off", Plan: "paid"}, Request{})
	for _, want := range []string{"Neurons are not counted.", "No call has failed.", "No call has failed since the start.", "Nobody has called today.", "Ready: calls are taken."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for _, bad := range []string{"Latch", "class=\"plot\"", "Try it", "data-figure"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
}

func TestStandings(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *State)
		of     string
		level  string
		text   string
	}{
		{"not ready", func(s *State) { s.Unready = "draining: it ends" }, "Readiness", levelTrouble, "Not ready: draining: it ends"},
		{"idle", func(*State) {}, "Load", levelOK, "0 of 8 places are taken; nobody waits."},
		{"queued", func(s *State) { s.Load.Queued = 1 }, "Load", levelWatch, "; 1 call waits for one."},
		{"contended", func(s *State) { s.Waiting = 2 }, "Load", levelWatch, "; 2 calls wait for neurons that others hold."},
		{"no pace", func(*State) {}, "Pace", levelOK, "No limit of requests per minute is in use yet."},
		{"full pace", func(s *State) { s.Rates = []proxy.Rate{{Task: "t", PerMinute: 10, Pace: 10}} }, "Pace", levelOK, "1 limit of requests per minute is in use, none slowed down."},
		{
			"four slow",
			func(s *State) {
				s.Rates = slices.Repeat([]proxy.Rate{{Task: "t", Model: new("m"), PerMinute: 1500, Pace: 700, Waiting: 1}}, 4)
			},
			"Pace", levelWatch, "Slower than the limit: m at 700 of 1,500 a minute, m at 700 of 1,500 a minute, m at 700 of 1,500 a minute and 1 more. 4 calls wait a turn.",
		},
		{"capacity", func(*State) {}, "Breaker", levelOK, "Closed for every model: Workers AI has capacity."},
		{"no capacity", func(s *State) { s.Breakers = slices.Repeat([]breaker.Status{{Model: "m", NextTrial: three}}, 5) }, "Breaker", levelTrouble, "(next trial 15:24:07 UTC) and 2 more."},
		{"latched", func(s *State) { s.Day.Latched = true }, "Latch", levelTrouble, "Shut: "},
		{"store", func(*State) {}, "Store", levelOK, "A file keeps what is spent."},
		{"no store", func(s *State) { s.Store.Kind = "memory" }, "Store", levelOK, "forgotten at the end"},
		{"store fails", func(s *State) { s.Store.Failure = "gone" }, "Store", levelTrouble, "A file fails, calls that need it are refused: gone"},
		{"store fails, calls go on", func(s *State) { s.Store.Failure, s.Store.Policy = "gone", "allow" }, "Store", levelTrouble, "A file fails, calls go on, counted in memory: gone"},
		{"alone", func(*State) {}, "Replicas", levelOK, "This process has the day for itself."},
		{"lost", func(s *State) { s.Holders, s.Day.Lost = 3, 20 }, "Replicas", levelWatch, "3 processes share the day. 20 neurons are held by processes that have ended, until the reset."},
		{"no figure", func(*State) {}, "Account", levelNone, "has not been read"},
		{"figure", func(s *State) { s.Day.FigureAt, s.Day.External = &three, 5 }, "Account", levelOK, "counted until 15:24 UTC, finds 5 neurons spent elsewhere."},
		{"figure fails", func(s *State) { s.Day.FigureFailure = "403" }, "Account", levelWatch, "cannot be read: 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &State{Now: three, Load: proxy.Load{Limit: 8}, Store: Store{Kind: "file", Policy: "deny"}, Holders: 1, Day: &Day{Start: today}}
			c.change(s)
			for _, one := range standingsOf(s) {
				if one.Name == c.of {
					if one.Level != c.level || !strings.Contains(words(one.Text), c.text) {
						t.Errorf("%s: %s\nwant %s: %s", one.Level, words(one.Text), c.level, c.text)
					}
					return
				}
			}
			t.Error("there is no such line")
		})
	}
}

func TestFailuresSideBySide(t *testing.T) {
	f := minutes.CodeFailures{Code: normalize.OutOfCapacity, Total: 12}
	f.Upstream[59], f.Upstream[10], f.Guard[58], f.Guard[0] = 4, 1, 2, 5
	got := failingOf([]minutes.CodeFailures{f})[0]
	if got.Here.Count != 7 || got.There.Count != 5 || got.Lately != "6 of them in the last 5 min" || got.Here.Label != "refused here" ||
		got.There.Text != "said by Workers AI: 5, at most 4 in one minute" {
		t.Errorf("%+v", got)
	}
	if want := "M0 24V0.0h.8V24zM58 24V14.4h.8V24z"; got.Here.Path != want {
		t.Errorf("%s, want %s", got.Here.Path, want)
	}
	if want := "M10 24V19.2h.8V24zM59 24V4.8h.8V24z"; got.There.Path != want {
		t.Errorf("%s, want %s: on the scale of the other", got.There.Path, want)
	}
	f.Proxy[3] = 1
	if got := failingOf([]minutes.CodeFailures{f})[0].Here; got.Label != "refused or failed here" || got.Count != 8 {
		t.Errorf("%+v", got)
	}
}

// Many models, clients and failures: what a big page costs.
func BenchmarkWrite(b *testing.B) {
	s := afternoon()
	for len(s.Models) < 100 {
		m := s.Models[len(s.Models)%6]
		m.Name = fmt.Sprint(m.Name, len(s.Models))
		s.Models = append(s.Models, m)
	}
	for len(s.Clients) < 100 {
		c := s.Clients[len(s.Clients)%4]
		c.Name = fmt.Sprint(c.Name, len(s.Clients))
		s.Clients = append(s.Clients, c)
	}
	page := written(b, s, Request{})
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(io.Discard, s, Request{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(page)), "bytes/page")
}
