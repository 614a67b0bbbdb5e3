package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A refusal for the month says so, with the month's figures and its end, also when a new day has begun.
func TestARefusalForTheMonth(t *testing.T) {
	large := strings.Replace(chat, "{", `{"max_tokens":4000,`, 1) // some 105 neurons
	for _, c := range []struct {
		name, entry string
		day, month  quota.Neurons // of the account
		slug, limit string
		most        float64
		words       string
	}{
		{
			name: "the client's", entry: "a, monthly_neurons: 150", slug: "client_budget_exhausted", limit: "client",
			most: 150, words: "Your budget of 150 neurons a month allows no more this month: 100 used. With",
		},
		{
			name: "the client's, below that of its day", entry: "a, daily_neurons: 149, monthly_neurons: 150",
			slug: "client_budget_exhausted", limit: "client", most: 150,
			words: "Your budget of 150 neurons a month allows no more this month: 100 used. With",
		},
		{
			name: "the account's", entry: "a", day: 149 * neuron, month: 150 * neuron, slug: "account_limited",
			limit: "account", most: 150,
			words: "The limit of 150 neurons a month set for this proxy allows no more this month: 100 used. With",
		},
		{
			name: "the account's for low priority", entry: "a, priority: low", month: 200 * neuron,
			slug: "priority_floor", limit: "account", most: 200,
			words: "20 of the month's 200 neurons are kept for calls of a higher priority",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				o := quota.Options{Limit: c.day, MonthLimit: c.month, Heartbeat: 10 * time.Minute}
				g := newGuarded(t, o, workersai.Options{},
					withClients(t, c.entry))
				defer g.close()
				time.Sleep(time.Hour)
				spendOf(t, g, 100*neuron)
				time.Sleep(24 * time.Hour)
				began := time.Now()
				w := g.post(chatPath, large, "X-Api-Key", keyOf("a"))
				e := refusalOf(t, w).Error
				var full struct {
					Error struct {
						ResetsAt time.Time `json:"resets_at"`
					}
				}
				if err := json.Unmarshal(w.Body.Bytes(), &full); err != nil {
					t.Fatal(err)
				}
				wantText(t, "slug", e.Name, c.slug)
				wantText(t, "limit", e.Limit.Name, c.limit)
				wantText(t, "window", e.Limit.Window, "month")
				if !strings.Contains(e.Message, c.words) {
					t.Errorf("got the message %q, want in it %q", e.Message, c.words)
				}
				if e.Limit.Limit != c.most || e.Limit.Used != 100 {
					t.Errorf("got %v of %v used, want 100 of %v", e.Limit.Used, e.Limit.Limit, c.most)
				}
				if want := quota.DayOf(began).MonthEnd(); !full.Error.ResetsAt.Equal(want) {
					t.Errorf("got a reset at %v, want %v", full.Error.ResetsAt, want)
				}
				wantText(t, "policy", strings.Split(w.Header().Get("Ratelimit-Policy"), ",")[0],
					fmt.Sprintf(`"neurons";q=%v;w=%d`, c.most, 31*24*60*60))
				if g.sim.Requests() != 0 {
					t.Errorf("got %d calls upstream, want none", g.sim.Requests())
				}
				time.Sleep(time.Until(full.Error.ResetsAt.Add(time.Second)))
				if w := g.post(chatPath, large, "X-Api-Key", keyOf("a")); w.Code != 200 {
					t.Errorf("in the next month: got %d %s, want 200", w.Code, w.Body)
				}
			})
		})
	}
}

func spendOf(t *testing.T, g *guarded, amount quota.Neurons) {
	t.Helper()
	entry := g.config.Clients().Clients()[0]
	res, d, err := g.ledger.Reserve(t.Context(), quota.Call{
		Client: "a", ClientLimit: entry.DailyNeurons, ClientMonth: entry.MonthlyNeurons, CountClient: true,
		Estimate: amount,
	})
	if err != nil || res == nil {
		t.Fatalf("got a reservation: %t, the decision %+v, the error %v; want a reservation and no error", res != nil,
			d, err)
	}
	res.Settle(quota.Cost{Neurons: amount})
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
