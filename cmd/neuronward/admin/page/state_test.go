package page

import (
	"html/template"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

// shown returns the text on the page between two pieces of HTML, without markup.
func shown(t *testing.T, in *Input, from, to string) string {
	t.Helper()
	page := written(t, in)
	_, rest, found := strings.Cut(page, from)
	text, _, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("got a page without %s … %s, want both on\n%s", from, to, page)
	}
	return textOf(template.HTML(text))
}

func TestStateLines(t *testing.T) {
	const (
		slow = "m at 700 of 1500 a minute, 1 call waits"
		died = " 20 neurons are held by processes that died, until the reset."
	)
	for _, c := range []struct {
		name    string
		change  func(s *status.Status)
		unready string
		line    string
		level   string
		text    string
	}{
		{
			name: "not ready", unready: "draining: it ends",
			line: "Readiness", level: "critical", text: "Not ready: draining: it ends",
		},
		{name: "idle", line: "Load", level: "ok", text: "0 of 8 slots are in use; no call waits."},
		{
			name: "queued", change: func(s *status.Status) { s.Requests.Queued = 1 },
			line: "Load", level: "warning", text: "; 1 call waits for one.",
		},
		{
			name: "contended", change: func(s *status.Status) { s.Waiting = 2 },
			line: "Load", level: "warning", text: "; 2 calls wait for neurons that other calls hold.",
		},
		{
			name: "no rate", line: "Request rate", level: "ok",
			text: "No limit of requests per minute is in use yet.",
		},
		{
			name:   "full rate",
			change: func(s *status.Status) { s.Rates = []proxy.Rate{{Task: "t", PerMinute: 10, Pace: 10}} },
			line:   "Request rate", level: "ok", text: "1 limit of requests per minute in use, none slowed down.",
		},
		{
			name: "four slow",
			change: func(s *status.Status) {
				one := proxy.Rate{Task: "t", Model: new("m"), PerMinute: 1500, Pace: 700, Waiting: 1}
				s.Rates = slices.Repeat([]proxy.Rate{one}, 4)
			},
			line: "Request rate", level: "warning",
			text: slow + ", " + slow + ", " + slow + ", " + slow + ".",
		},
		{name: "capacity", line: "Model capacity", level: "ok", text: "ok: no model is out of capacity."},
		{
			name: "no capacity",
			change: func(s *status.Status) {
				s.Breakers = slices.Repeat([]breaker.Status{{Model: "m", NextTrial: three}}, 5)
			},
			line: "Model capacity", level: "critical",
			text: strings.Repeat("m (next trial 15:24:07 UTC), ", 4) + "m (next trial 15:24:07 UTC).",
		},
		{name: "no block", line: "Quota block", level: "ok", text: "none: "},
		{
			name: "blocked", change: func(s *status.Status) { s.Blocked = true },
			line: "Quota block", level: "critical", text: "set: ",
		},
		{name: "store", line: "Store", level: "ok", text: "file: usage is stored."},
		{
			name: "no store", change: func(s *status.Status) { s.Store.Kind = "memory" },
			line: "Store", level: "ok", text: "memory: usage is forgotten when the process ends.",
		},
		{
			name: "store fails", change: func(s *status.Status) { s.Store.Failure = new("no route") },
			line: "Store", level: "critical", text: "file fails, calls that need it are refused: no route",
		},
		{
			name:   "store fails, calls go on",
			change: func(s *status.Status) { s.Store.Failure, s.Store.Policy = new("no route"), "allow" },
			line:   "Store", level: "critical", text: "file fails, calls go on, counted in memory: no route",
		},
		{name: "alone", line: "Replicas", level: "ok", text: "1 process."},
		{
			name: "lost", change: func(s *status.Status) { s.Replicas, s.Lost = 3, some(20) },
			line: "Replicas", level: "warning", text: "3 processes." + died,
		},
		{name: "no figure", line: "Account", level: "none", text: "has not been read"},
		{
			name: "figure",
			change: func(s *status.Status) {
				s.Reconciliation.CountedUntil, s.External = &three, some(5)
			},
			line: "Account", level: "ok", text: "counted until 15:24 UTC, finds 5 neurons spent elsewhere.",
		},
		{
			name: "figure fails", change: func(s *status.Status) { s.Reconciliation.Failure = new("403") },
			line: "Account", level: "warning", text: "cannot be read: 403",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &status.Status{Today: emptyDay(), Requests: proxy.Load{Limit: 8}}
			s.Replicas, s.Store = 1, status.Store{Kind: "file", Policy: "deny"}
			if c.change != nil {
				c.change(s)
			}
			in := &Input{Now: three, Status: s, Unready: c.unready}
			got := shown(t, in, `<div class="level-`+c.level+`"><dt>`+c.line+`</dt>`, "</div>")
			if !strings.Contains(got, c.text) {
				t.Errorf("got %q, want %q", got, c.text)
			}
		})
	}
}
