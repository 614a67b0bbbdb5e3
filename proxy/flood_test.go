package proxy

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/clients"
)

// A flooded is a proxy for several clients, some of which call without end.
type flooded struct {
	proxy   *Proxy
	began   time.Time
	mu      sync.Mutex
	results map[string][]floodedCall // by client
	refused map[int]int              // calls of those that flood, by status
}

type floodedCall struct {
	at, took time.Duration
	ok       bool
	answer   string // where it is not
}

// keyOfTeam is the key of a client in these tests.
func keyOfTeam(name string) string { return clients.KeyPrefix + "fake-key-of-team-" + name }

func newFlooded(t *testing.T, floods int, change func(*Config)) *flooded {
	t.Helper()
	text := "clients:\n"
	for i := range floods + 1 {
		name := "steady"
		if i > 0 {
			name = fmt.Sprint("flood", i-1)
		}
		text += fmt.Sprintf("  - {name: %s, key_sha256: %x}\n", name, sha256.Sum256([]byte(keyOfTeam(name))))
	}
	set, err := clients.Parse("clients.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(io.Discard)
	c.Log = slog.New(slog.DiscardHandler)
	c.Clients = func() *clients.Set { return set }
	c.HeldWait = 5 * time.Second
	c.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(time.Second)
		answerJSON(200, chatAnswer)(w, r)
	})}
	change(&c)
	f := &flooded{began: time.Now(), results: map[string][]floodedCall{}, refused: map[int]int{}}
	if f.proxy, err = New(c); err != nil {
		t.Fatal(err)
	}
	return f
}

// largeChat is 128 KiB. Most of it is one string, which takes the least time to read.
var largeChat = func() string {
	begin, end := strings.TrimSuffix(chat, "}")+`,"user":"`, `"}`
	return begin + strings.Repeat("x", 128<<10-len(begin)-len(end)) + end
}()

// A trickle is largeChat, which takes two seconds to arrive.
type trickle struct{ rest string }

func (b *trickle) Read(p []byte) (int, error) {
	if b.rest == "" {
		return 0, io.EOF
	}
	n := min(16<<10, len(b.rest))
	if len(b.rest) == len(largeChat) {
		n = len(chat) // so that no read fills a buffer: else bodies that wait for the next one wait in step
	}
	n = copy(p, b.rest[:n])
	b.rest = b.rest[n:]
	time.Sleep(2 * time.Second * time.Duration(n) / time.Duration(len(largeChat)))
	return n, nil
}

// call makes a call of one of four kinds: small, large, not JSON, and to no route.
func (f *flooded) call(client string, kind int) floodedCall {
	path, body := chatPath, io.Reader(strings.NewReader(chat))
	switch kind {
	case 1:
		body = &trickle{largeChat}
	case 2:
		body = strings.NewReader("{")
	case 3:
		path = "/v1/nothing"
	}
	r := httptest.NewRequest("POST", "http://localhost"+path, body)
	r.Header.Set("X-Api-Key", keyOfTeam(client))
	w, at := httptest.NewRecorder(), time.Now()
	f.proxy.ServeHTTP(w, r)
	c := floodedCall{at: at.Sub(f.began), took: time.Since(at), ok: w.Code == 200}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !c.ok {
		c.answer = w.Body.String()
		if client != "steady" {
			f.refused[w.Code]++
		}
	}
	f.results[client] = append(f.results[client], c)
	return c
}

// loops lets a client call without end from many goroutines.
func (f *flooded) loops(wg *sync.WaitGroup, client string, n int, from, until time.Duration) {
	for i := range n {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			time.Sleep(from + time.Duration(rng.Int64N(int64(time.Second))))
			for time.Since(f.began) < until {
				if !f.call(client, []int{0, 0, 0, 1, 1, 1, 2, 3}[rng.IntN(8)]).ok {
					time.Sleep(time.Second)
				}
			}
		})
	}
}

// between returns the share of a client's calls that came in a time and were
// answered, and how long the slowest of 99 % of these took.
func (f *flooded) between(t *testing.T, client string, from, until time.Duration) (success float64, p99 time.Duration) {
	t.Helper()
	var took []time.Duration
	calls := 0
	for _, c := range f.results[client] {
		switch {
		case c.at < from || c.at >= until:
			continue
		case c.ok:
			took = append(took, c.took)
		case client == "steady":
			t.Logf("refused at %v after %v: %s", c.at, c.took, c.answer)
		}
		calls++
	}
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return float64(len(took)) / float64(calls), took[(len(took)*99+99)/100-1]
}

// One client makes steady calls, a quarter of them large; for 15 seconds others
// call from 200 loops without end. Each time something else is scarce.
func TestAFloodTakesNothingFromAnotherClient(t *testing.T) {
	const calm, end = 30 * time.Second, 45 * time.Second
	places := func(c *Config) { c.MaxInFlight, c.MaxHeld = 64, 256<<20 }
	held := func(c *Config) { c.MaxHeld = 4 << 20 }
	limited := func(c *Config) { atPace(t, "text-generation=300", 5*time.Second)(c) }
	pace := func(c *Config) { c.MaxHeld = 256 << 20; limited(c) }
	all := func(c *Config) { places(c); held(c); limited(c) }
	for _, c := range []struct {
		name    string
		floods  int
		change  func(*Config)
		every   time.Duration // between the other's calls
		longest time.Duration // how much longer than in the calm their p99 may be
	}{
		{"places", 1, places, 500 * time.Millisecond, 0},
		{"places", 4, places, 500 * time.Millisecond, 0},
		{"held bytes", 1, held, 500 * time.Millisecond, 0},
		{"held bytes", 4, held, 500 * time.Millisecond, 2 * time.Second},
		{"requests per minute", 1, pace, 700 * time.Millisecond, 500 * time.Millisecond},
		{"requests per minute", 4, pace, 1500 * time.Millisecond, 1200 * time.Millisecond}, // a round of five turns,
		{"all", 1, all, 700 * time.Millisecond, 500 * time.Millisecond},
		{"all", 4, all, 1500 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(fmt.Sprintf("%s, %d floods", c.name, c.floods), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				f := newFlooded(t, c.floods, c.change)
				var wg sync.WaitGroup
				for i := range c.floods {
					f.loops(&wg, fmt.Sprint("flood", i), 200/c.floods, calm, end)
				}
				for i := 0; time.Since(f.began) < end; i++ {
					wg.Go(func() { f.call("steady", []int{0, 0, 0, 1}[i%4]) })
					time.Sleep(c.every)
				}
				wg.Wait()
				before, p99Before := f.between(t, "steady", 0, calm-5*time.Second)
				during, p99During := f.between(t, "steady", calm+time.Second, end)
				flood, _ := f.between(t, "flood0", calm, end)
				t.Logf("success %.1f %%, p99 %v in the calm; %.1f %%, %v in the flood, of whose calls %.1f %% "+
					"succeed; refused %v",
					100*before, p99Before, 100*during, p99During, 100*flood, f.refused)
				if before < 0.99 || during < 0.99 {
					t.Errorf("success: got %.1f %%, in the flood %.1f %%, want 99 %% or more of both", 100*before,
						100*during)
				}
				if p99During > p99Before+c.longest {
					t.Errorf("p99: got %v in the flood, want at most %v after %v in the calm", p99During,
						p99Before+c.longest, p99Before)
				}
				if n := f.refused[429] + f.refused[503]; n < 150 {
					t.Errorf("that was no flood: got %d of 429 and 503, want 150 or more: %v", n, f.refused)
				}
				if flood == 0 {
					t.Errorf("that was no flood: got no success, want some: %v", f.refused)
				}
				if l := f.proxy.Load(); l.InFlight != 0 || l.Queued != 0 {
					t.Errorf("left behind: got %d in flight, %d queued, want 0, 0", l.InFlight, l.Queued)
				}
			})
		})
	}
}

// A client is told that its own share is used up, and nothing of others.
func TestWhoseShareIsUsedUp(t *testing.T) {
	for _, c := range []struct {
		name          string
		change        func(*Config)
		calls, served int           // of a client at once
		after         time.Duration // when the last of those that are not served is answered
		words, limit  string
	}{
		{
			"slots", func(c *Config) { c.MaxInFlight = 10; c.InFlightWait = 300 * time.Millisecond }, 16, 8,
			300 * time.Millisecond,
			"This proxy has too much to do: the calls of your client that are being served have used up its share " +
				"of the slots, and none came free within 300ms (NEURONWARD_MAX_IN_FLIGHT).",
			`"limit":{"name":"in_flight","client":"flood0","used":8,"reserved":0,"limit":10,"unit":"calls",` +
				`"window":"at_once"}`,
		},
		{
			"the queue", func(c *Config) { c.MaxInFlight = 10; c.InFlightWait = time.Minute }, 17, 16, 0,
			"This proxy has too much to do: the waiting calls of your client have used up its share of the queue " +
				"(NEURONWARD_MAX_IN_FLIGHT).",
			`"limit":{"name":"in_flight","client":"flood0","used":8,"reserved":0,"limit":10,"unit":"calls",` +
				`"window":"at_once"}`,
		},
		{
			"held bytes", func(c *Config) { c.MaxBody, c.MaxHeld, c.HeldWait = 64<<10, 64<<10, 200*time.Millisecond },
			4, 3, 200 * time.Millisecond,
			"The request bodies of your client have used up its share of what this proxy holds at once, 64 KiB " +
				"(NEURONWARD_MAX_HELD).", "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				f := newFlooded(t, 1, c.change)
				var wg sync.WaitGroup
				for range c.calls {
					wg.Go(func() { f.call("flood0", 0) })
					synctest.Wait()
				}
				time.Sleep(c.after)
				synctest.Wait()
				if other := f.call("steady", 0); !other.ok || other.took != time.Second {
					t.Errorf("another client: got %+v, want ok after %v", other, time.Second)
				}
				wg.Wait()
				served := 0
				for _, call := range f.results["flood0"] {
					switch {
					case call.ok:
						served++
					case !strings.Contains(call.answer, c.words) || !strings.Contains(call.answer, c.limit) ||
						!strings.Contains(call.answer, `"name":"overloaded"`) || call.took != c.after:
						t.Errorf("got after %v: %s, want after %v the name overloaded, %q and %q", call.took,
							call.answer, c.after, c.words, c.limit)
					}
				}
				if served != c.served || len(f.results["flood0"]) != c.calls {
					t.Errorf("got %d served of %d, want %d of %d", served, len(f.results["flood0"]), c.served, c.calls)
				}
				if n := f.proxy.slots.pool.Status().Tenants + f.proxy.bodies.room.Status().Tenants; n != 0 {
					t.Errorf("got %d clients remembered, want 0", n)
				}
			})
		})
	}
}
