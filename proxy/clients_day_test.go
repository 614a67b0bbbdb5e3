package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

const dayClients = 8

// A clientsDay is the random day of 64 callers who are those of 8 clients.
type clientsDay struct {
	name    string
	budget  func(client int) quota.Neurons // 0: none of its own
	account bool                           // the limit is what ends the day, else each budget
}

// A client spends its budget exactly as the account does: never over, always used;
// and whichever is the tighter of the two, both hold.
func TestNeverOverAlwaysUsedByClients(t *testing.T) {
	each := func(n quota.Neurons) func(int) quota.Neurons { return func(int) quota.Neurons { return n } }
	for _, d := range []clientsDay{
		{name: "budgets below the limit", budget: each(1_000 * neuron)},
		{name: "budgets of many sizes", budget: func(i int) quota.Neurons { return quota.Neurons(400+150*i) * neuron }},
		{name: "budgets beyond the limit", budget: each(5_000 * neuron), account: true},
		{name: "budgets that come to the limit", budget: each(1_250 * neuron), account: true},
		{
			name:   "half of them have a budget",
			budget: func(i int) quota.Neurons { return quota.Neurons(i%2) * 500 * neuron }, account: true,
		},
	} {
		t.Run(d.name, func(t *testing.T) {
			for seed := range *seeds {
				virtually(t, func(t *testing.T) { d.run(t, seed+1) })
			}
		})
	}
}

func (d *clientsDay) run(t *testing.T, seed uint64) {
	t.Helper()
	var entries []string
	for i := range dayClients {
		entry := fmt.Sprintf("c%d", i)
		if b := d.budget(i); b > 0 {
			entry += fmt.Sprintf(", daily_neurons: %v", b.Float())
		}
		entries = append(entries, entry)
	}
	g := newGuarded(t, quota.Options{Limit: dayLimit, Wait: 10 * time.Second},
		workersai.Options{Latency: 20 * time.Millisecond, Seed: seed}, withClients(t, entries...))
	var wg sync.WaitGroup
	for caller := range dayCallers {
		rng := rand.New(rand.NewPCG(seed, uint64(caller)))
		day := randomDay{key: keyOf(fmt.Sprintf("c%d", caller%dayClients))}
		wg.Go(func() { day.call(g, rng) })
	}
	wg.Wait()
	billed, s := g.sim.Billed(), g.close()
	if billed > dayLimit || s.Account.Used != billed {
		t.Errorf("seed %d: got billed %v, counted %v, want both the same and at most %v", seed, billed, s.Account.Used,
			dayLimit)
	}
	spent, sum := spentBy(s), quota.Neurons(0)
	for i := range dayClients {
		client, budget := fmt.Sprintf("c%d", i), d.budget(i)
		sum += spent[client]
		if budget > 0 && (spent[client] > budget || !d.account && spent[client] < budget*99/100) {
			t.Errorf("seed %d: got %v spent by %s, want at most %v, and at least %v unless the account ends the day "+
				"(%v)", seed, spent[client], client, budget, budget*99/100, d.account)
		}
	}
	if sum != billed || d.account && billed < dayLimit*99/100 {
		t.Errorf("seed %d: got %v spent by the clients, billed %v, want both the same, and at least %v if the "+
			"account ends the day (%v)", seed, sum, billed, dayLimit*99/100, d.account)
	}
	for _, budget := range s.Clients {
		client, _ := strings.CutPrefix(string(budget.Budget), string(quota.ClientBudget("")))
		if budget.Used != spent[client] || budget.Reserved != 0 {
			t.Errorf("seed %d: got the budget %+v, want used %v, reserved 0", seed, budget, spent[client])
		}
	}
	t.Logf("%.2f %% of the limit, clients %v", 100*billed.Float()/dayLimit.Float(), spent)
}

// spentBy is what each client has spent, by the records of its calls.
func spentBy(s quota.Snapshot) map[string]quota.Neurons {
	spent := map[string]quota.Neurons{}
	for _, r := range s.Records {
		spent[r.Client] += r.Neurons()
	}
	return spent
}

var priorities = []struct {
	client string
	stops  quota.Neurons
}{{"low", dayLimit / 100 * 80}, {"normal", dayLimit / 100 * 95}, {"high", dayLimit}}

// Of the account's day low stops at 80 %, normal at 95 %, high goes on: each to
// the last neuron that its smallest call needs.
func TestPrioritiesStopAtTheirFloors(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: dayLimit, Wait: 10 * time.Second},
			workersai.Options{Latency: 20 * time.Millisecond},
			withClients(t, "low, priority: low", "normal, priority: normal", "high"))
		smallest := strings.Replace(chat, "{", `{"max_tokens":1,`, 1)
		for i, p := range priorities {
			spend(g, 64, p.client)
			// What random calls have left is spent by the smallest there is.
			w := g.post(chatPath, smallest, "X-Api-Key", keyOf(p.client))
			for ; w.Code == 200; w = g.post(chatPath, smallest, "X-Api-Key", keyOf(p.client)) {
			}
			name := "priority_floor"
			if p.stops == dayLimit {
				name = "account_limited"
			}
			used := g.ledger.Snapshot().Account.Used
			if used > p.stops || used+estimateOf(g, smallest) <= p.stops {
				t.Errorf("%s: got a stop at %v (a call needs %v), want at most %v, less than a call below it",
					p.client, used, estimateOf(g, smallest), p.stops)
			}
			wantHas(t, p.client, w.Body.String(), `"name":"`+name+`"`)
			if !strings.Contains(w.Header().Get("Ratelimit"), `"neurons";r=0;`) {
				t.Errorf("%s: got ratelimit %q, want neurons with r=0", p.client, w.Header().Get("Ratelimit"))
			}
			for _, before := range priorities[:i] {
				if w := g.post(chatPath, smallest, "X-Api-Key", keyOf(before.client)); w.Code != 429 {
					t.Errorf("%s behind %s: got %d, want 429", before.client, p.client, w.Code)
				}
			}
		}
		if s := g.close(); s.Account.Used != g.sim.Billed() {
			t.Errorf("got %v counted, want the %v billed", s.Account.Used, g.sim.Billed())
		}
	})
}

// Callers of all priorities at once: no call of low or normal is sent once the day
// is beyond its floor.
func TestPrioritiesBesideEachOther(t *testing.T) {
	for seed := range *seeds {
		virtually(t, func(t *testing.T) {
			var sent sync.Map // by client: sent at last, with how much used
			g := newGuarded(t, quota.Options{Limit: dayLimit, Wait: 10 * time.Second},
				workersai.Options{Latency: 20 * time.Millisecond, Seed: seed},
				withClients(t, "low, priority: low", "normal, priority: normal", "high"))
			next := g.config.Transport
			g.proxy.forward.transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				sent.Store(callOf(r.Context()).client, g.ledger.Snapshot().Account.Used)
				return next.RoundTrip(r)
			})
			var wg sync.WaitGroup
			for caller := range dayCallers {
				rng := rand.New(rand.NewPCG(seed, uint64(caller)))
				day := randomDay{key: keyOf(priorities[caller%3].client)}
				wg.Go(func() { day.call(g, rng) })
			}
			wg.Wait()
			for _, p := range priorities {
				if last, sentAny := sent.Load(p.client); !sentAny || last.(quota.Neurons) > p.stops {
					t.Errorf("seed %d: got the last call of %s sent (%v) at %v, want one (true) at %v or less", seed,
						p.client, sentAny, last, p.stops)
				}
			}
			s := g.close()
			if s.Account.Used > dayLimit || s.Account.Used < dayLimit*99/100 {
				t.Errorf("seed %d: got used %v, want it from %v to %v", seed, s.Account.Used, dayLimit*99/100,
					dayLimit)
			}
			wantEqual(t, fmt.Sprintf("seed %d: used", seed), s.Account.Used, g.sim.Billed())
		})
	}
}

// spend lets callers of one client go on until nothing fits.
func spend(g *guarded, callers int, client string) {
	var wg sync.WaitGroup
	for caller := range callers {
		day := randomDay{key: keyOf(client)}
		wg.Go(func() { day.call(g, rand.New(rand.NewPCG(7, uint64(caller)))) })
	}
	wg.Wait()
}

// estimateOf is what is reserved for a chat.
func estimateOf(g *guarded, body string) quota.Neurons {
	return g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
		requestOf(&routes["v1/chat/completions"][0], quota.TextGeneration, body)).Neurons
}
