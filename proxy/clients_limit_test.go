package proxy

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/pace"
)

// refusal is what the tests read of a refusal by a limit.
type refusal struct {
	Error struct {
		Name, Message string
		Retryable     bool
		RetryAfterMs  int64 `json:"retry_after_ms"`
		Limit         *struct {
			Name, Client, Unit, Window string
			Used, Reserved, Limit      float64
		}
	}
}

func refusalOf(t *testing.T, w *httptest.ResponseRecorder) (r refusal) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 429 {
		t.Fatalf("got %d, error %v, want 429 and none: %s", w.Code, err, w.Body)
	}
	if r.Error.Limit == nil {
		t.Fatalf("got %s, want a limit in it", w.Body)
	}
	return r
}

// Each refusal names the limit that refused, in words and in figures, and nothing
// of another client.
func TestARefusalNamesItsLimit(t *testing.T) {
	large := strings.Replace(chat, "{", `{"max_tokens":4000,`, 1) // some 105 neurons
	for _, c := range []struct {
		name           string
		client         string // who is refused
		entry          string
		account, spent quota.Neurons // the limit, and by another client before
		slug, limit    string
		most           float64 // limit.limit
		words          string
	}{
		{
			"its budget, of which some is left", "a", "a, daily_neurons: 100", 10_000 * neuron, 0,
			"client_budget_exhausted", "client", 100,
			"Your budget of 100 neurons a day allows no more today: 0 used. With max_tokens of",
		},
		{
			"its budget without a limit", "a", "a, daily_neurons: 100", 0, 0, "client_budget_exhausted", "client",
			100,
			"Your budget of 100 neurons a day allows no more today: 0 used.",
		},
		{
			"the limit, whatever is left of its budget", "a", "a, daily_neurons: 5000", 200 * neuron, 190,
			"account_limited", "account", 200,
			"The limit of 200 neurons a day set for this proxy allows no more today",
		},
		{
			"the limit once it is reached", "a", "a, daily_neurons: 5000", 200 * neuron, 199, "account_limited",
			"account", 200, "The limit of 200 neurons a day set for this proxy is reached",
		},
		{
			"the floor of low", "a", "a, priority: low", 400 * neuron, 300, "priority_floor", "account", 400,
			"left for its priority: 80 of the day's 400 neurons are kept for calls of a higher priority. With " +
				"max_tokens of ",
		},
		{
			"the floor of low once it is reached", "a", "a, priority: low", 400 * neuron, 318, "priority_floor",
			"account",
			400, "80 of the day's 400 neurons are kept for calls of a higher priority, and the rest is spent. It " +
				"resets at",
		},
		{
			"the floor of normal", "a", "a, priority: normal, daily_neurons: 300", 400 * neuron, 370, "priority_floor",
			"account", 400, "20 of the day's 400 neurons are kept for calls of a higher priority",
		},
		{
			"all of the day, for low", "a", "a, priority: low", 400 * neuron, 398, "account_limited", "account", 400,
			"The limit of 400 neurons a day set for this proxy is reached",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: c.account}, workersai.Options{},
					withClients(t, c.entry, "another-team, daily_neurons: 77.7125"))
				defer g.close()
				if c.spent > 0 {
					res, d, err := g.ledger.Reserve(t.Context(),
						quota.Call{Client: "another-team", Estimate: c.spent * neuron})
					if err != nil || res == nil {
						t.Fatalf("got the reservation %v, %v, %v, want one without an error", res, d, err)
					}
					res.Settle(quota.Cost{Neurons: c.spent * neuron})
				}
				w := g.post(chatPath, large, "X-Api-Key", keyOf(c.client))
				e := refusalOf(t, w).Error
				wantEqual(t, "name", e.Name, c.slug)
				wantHas(t, "message", e.Message, c.words)
				wantEqual(t, "limit", e.Limit.Name, c.limit)
				wantEqual(t, "neurons of the limit", e.Limit.Limit, c.most)
				wantEqual(t, "unit", e.Limit.Unit, "neurons")
				wantEqual(t, "window", e.Limit.Window, "day")
				wantEqual(t, "names the client", e.Limit.Client == c.client, c.limit == "client")
				wantEqual(t, "retryable", e.Retryable, false)
				wantEqual(t, "calls upstream", g.sim.Requests(), 0)
				wantLacks(t, "body", w.Body.String(), "another-team")
				wantLacks(t, "body", w.Body.String(), "77.7125")
			})
		})
	}
}

// Where calls in flight hold what a call needs, it is told whose, and to come back.
func TestContendedByWhose(t *testing.T) {
	for _, c := range []struct{ name, entry, limit, words string }{
		{
			"its own", "a, daily_neurons: 110", "client",
			"Your budget of 110 neurons a day: 0 used, ",
		},
		{"everybody's", "a", "account", " reserved by 2 calls in flight. It may fit in 15 s. With max_tokens of "},
		{
			"everybody's, below the floor of low", "a, priority: low", "account",
			"neurons a day set for this proxy: 0 used, ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 150 * neuron, Wait: time.Second}, workersai.Options{},
					withClients(t, c.entry))
				defer g.close()
				large := strings.Replace(chat, "{", `{"max_tokens":2500,`, 1) // some 65 neurons
				ctx, leave := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { g.postWith(ctx, chatPath, large, "X-Api-Key", keyOf("a"), "X-Simulate", "hang") })
				if c.limit == "account" {
					wg.Go(func() { g.postWith(ctx, chatPath, large, "X-Api-Key", keyOf("a"), "X-Simulate", "hang") })
				}
				synctest.Wait()
				w := g.post(chatPath, large, "X-Api-Key", keyOf("a"))
				e := refusalOf(t, w).Error
				wantEqual(t, "name", e.Name, "quota_contended")
				wantHas(t, "message", e.Message, c.words)
				wantEqual(t, "limit", e.Limit.Name, c.limit)
				wantEqual(t, "retryable", e.Retryable, true)
				kept := strings.Contains(e.Message, "30 kept for calls of a higher priority")
				wantEqual(t, "names what is kept", kept, strings.Contains(c.entry, "low"))
				leave()
				wg.Wait()
			})
		})
	}
}

// A client's requests per minute hold whatever the limits of models are, and with
// none.
func TestRequestsPerMinuteOfAClient(t *testing.T) {
	for _, c := range []struct {
		name, limits string
		tells        string // ratelimit-policy of its first call
		refused      string
	}{
		{"below Cloudflare's", "", `"rpm";q=5;w=60`, "client"},
		{"alone", "off", `"rpm";q=5;w=60`, "client"},
		{"above the model's", testModel + "=1", `"rpm";q=1;w=60`, testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				limits, err := pace.ParseTable(c.limits)
				if err != nil {
					t.Fatal(err)
				}
				g := newGuarded(t, quota.Options{}, workersai.Options{},
					withClients(t, "a, requests_per_minute: 5", "b"), func(conf *Config) {
						conf.Pace, conf.RateWait = pace.New(limits), time.Second
					})
				defer g.close()
				w := g.post(chatPath, chat, "X-Api-Key", keyOf("a"))
				wantEqual(t, "status", w.Code, 200)
				wantEqual(t, "Ratelimit-Policy", w.Header().Get("Ratelimit-Policy"), c.tells)
				if got, want := w.Header().Get("Ratelimit"), `"rpm";r=`; !strings.HasPrefix(got, want) {
					t.Errorf("Ratelimit: got %q, want %q at its beginning", got, want)
				}
				w = g.post(chatPath, chat, "X-Api-Key", keyOf("a"))
				e := refusalOf(t, w).Error
				wantEqual(t, "name", e.Name, "rate_limited")
				wantEqual(t, "limit", e.Limit.Name, c.refused)
				wantEqual(t, "names the client", e.Limit.Client == "a", c.refused == "client")
				wantEqual(t, "unit", e.Limit.Unit, "requests")
				wantEqual(t, "window", e.Limit.Window, "minute")
				wantEqual(t, "retryable", e.Retryable, true)
				if e.RetryAfterMs <= 0 {
					t.Errorf("retry after: got %d ms, want more than 0", e.RetryAfterMs)
				}
				if c.refused == "client" && !strings.Contains(e.Message, "your limit is 5 requests a minute") {
					t.Errorf("got the message %q, want it to say that your limit is 5 requests a minute", e.Message)
				}
				if n := g.sim.Requests(); n != 1 {
					t.Errorf("got %d calls upstream, want 1", n)
				}
				if c.refused != "client" {
					return
				}
				for range 6 { // another client is not held back
					if w := g.post(chatPath, chat, "X-Api-Key", keyOf("b")); w.Code != 200 {
						t.Errorf("b: got %d %s, want 200", w.Code, w.Body)
					}
				}
				time.Sleep(time.Duration(e.RetryAfterMs) * time.Millisecond)
				if w := g.post(chatPath, chat, "X-Api-Key", keyOf("a")); w.Code != 200 {
					t.Errorf("when it was told to come back: got %d %s, want 200", w.Code, w.Body)
				}
			})
		})
	}
}

// Of two pots, ratelimit tells the one with less left for this client.
func TestRatelimitTellsTheTighter(t *testing.T) {
	for _, c := range []struct{ name, entry, policy, standing string }{
		{"its own budget", "a, daily_neurons: 50", `"neurons";q=50;w=86400`, `"neurons";r=48;`},
		{"the limit", "a, daily_neurons: 5000", `"neurons";q=100;w=86400`, `"neurons";r=98;`},
		{
			"what low may have of it", "a, daily_neurons: 90, priority: low", `"neurons";q=100;w=86400`,
			`"neurons";r=78;`,
		},
		{
			"with requests", "a, daily_neurons: 50, requests_per_minute: 60", `"neurons";q=50;w=86400, "rpm";q=60;w=60`,
			`"neurons";r=48;`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 100 * neuron}, workersai.Options{}, withClients(t, c.entry),
					func(conf *Config) {
						limits, err := pace.ParseTable("off")
						if err != nil {
							t.Fatal(err)
						}
						conf.Pace = pace.New(limits)
					})
				defer g.close()
				w := g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":10,`, 1), "X-Api-Key", keyOf("a"))
				wantEqual(t, "status", w.Code, 200)
				wantEqual(t, "Ratelimit-Policy", w.Header().Get("Ratelimit-Policy"), c.policy)
				if got := w.Header().Get("Ratelimit"); !strings.HasPrefix(got, c.standing) {
					t.Errorf("Ratelimit: got %q, want %q at its beginning", got, c.standing)
				}
			})
		})
	}
}
