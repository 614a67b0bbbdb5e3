package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/breaker"
)

func TestStateLines(t *testing.T) {
	const (
		slow = "m at 700 of 1,500 a minute"
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
			line: "Readiness", level: levelTrouble, text: "Not ready: draining: it ends",
		},
		{name: "idle", line: "Load", level: levelOK, text: "0 of 8 slots are in use; no call waits."},
		{
			name: "queued", change: func(s *status.Status) { s.Requests.Queued = 1 },
			line: "Load", level: levelWatch, text: "; 1 call waits for one.",
		},
		{
			name: "contended", change: func(s *status.Status) { s.Waiting = 2 },
			line: "Load", level: levelWatch, text: "; 2 calls wait for neurons that other calls hold.",
		},
		{
			name: "no rate", line: "Request rate", level: levelOK,
			text: "No limit of requests per minute is in use yet.",
		},
		{
			name:   "full rate",
			change: func(s *status.Status) { s.Rates = []proxy.Rate{{Task: "t", PerMinute: 10, Pace: 10}} },
			line:   "Request rate", level: levelOK, text: "1 limit of requests per minute is in use, none slowed down.",
		},
		{
			name: "four slow",
			change: func(s *status.Status) {
				one := proxy.Rate{Task: "t", Model: new("m"), PerMinute: 1500, Pace: 700, Waiting: 1}
				s.Rates = slices.Repeat([]proxy.Rate{one}, 4)
			},
			line: "Request rate", level: levelWatch,
			text: "Slower than the limit: " + slow + ", " + slow + ", " + slow + " and 1 more. " +
				"4 calls wait for a limit.",
		},
		{name: "capacity", line: "Model capacity", level: levelOK, text: "ok: no model is out of capacity."},
		{
			name: "no capacity",
			change: func(s *status.Status) {
				s.Breakers = slices.Repeat([]breaker.Status{{Model: "m", NextTrial: three}}, 5)
			},
			line: "Model capacity", level: levelTrouble, text: "(next trial 15:24:07 UTC) and 2 more.",
		},
		{name: "no block", line: "Quota block", level: levelOK, text: "none: "},
		{
			name: "blocked", change: func(s *status.Status) { s.Blocked = true },
			line: "Quota block", level: levelTrouble, text: "set: ",
		},
		{name: "store", line: "Store", level: levelOK, text: "A file stores usage."},
		{
			name: "no store", change: func(s *status.Status) { s.Store.Kind = "memory" },
			line: "Store", level: levelOK, text: "forgotten when the process ends",
		},
		{
			name: "store fails", change: func(s *status.Status) { s.Store.Failure = new("no route") },
			line: "Store", level: levelTrouble, text: "A file fails, calls that need it are refused: no route",
		},
		{
			name:   "store fails, calls go on",
			change: func(s *status.Status) { s.Store.Failure, s.Store.Policy = new("no route"), "allow" },
			line:   "Store", level: levelTrouble, text: "A file fails, calls go on, counted in memory: no route",
		},
		{name: "alone", line: "Replicas", level: levelOK, text: "One process."},
		{
			name: "lost", change: func(s *status.Status) { s.Replicas, s.Lost = 3, some(20) },
			line: "Replicas", level: levelWatch, text: "3 processes share the day." + died,
		},
		{name: "no figure", line: "Account", level: levelNone, text: "has not been read"},
		{
			name: "figure",
			change: func(s *status.Status) {
				s.Reconciliation.CountedUntil, s.External = &three, some(5)
			},
			line: "Account", level: levelOK, text: "counted until 15:24 UTC, finds 5 neurons spent elsewhere.",
		},
		{
			name: "figure fails", change: func(s *status.Status) { s.Reconciliation.Failure = new("403") },
			line: "Account", level: levelWatch, text: "cannot be read: 403",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &status.Status{Today: emptyDay(), Requests: proxy.Load{Limit: 8}}
			s.Replicas, s.Store = 1, status.Store{Kind: "file", Policy: "deny"}
			if c.change != nil {
				c.change(s)
			}
			all := linesOf(s, c.unready)
			i := slices.IndexFunc(all, func(l stateLine) bool { return l.Name == c.line })
			if i < 0 {
				t.Fatalf("there is no line %q", c.line)
			}
			if got := all[i].Level; got != c.level {
				t.Errorf("got level %s, want %s", got, c.level)
			}
			if got := words(all[i].Text); !strings.Contains(got, c.text) {
				t.Errorf("got %q, want %q", got, c.text)
			}
		})
	}
}
