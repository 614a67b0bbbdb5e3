package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

const dayClients = 8

// leftAtRandom is what random calls may leave of a budget: the last one that was refused may have been of a dear model.
const leftAtRandom = 10 * neuron

// oneToken is the smallest call there is.
var oneToken = strings.Replace(chat, "{", `{"max_tokens":1,`, 1)

// A clientsDay is the random day of 64 callers who are those of 8 clients.
type clientsDay struct {
	name    string
	budget  func(client int) quota.Neurons // 0: none of its own
	account bool                           // the limit is what ends the day, else each budget
}

// A client spends its budget exactly as the account does: never over, always used, to the last call of one token; and
// whichever is the tighter of the two, both hold.
func TestNeverOverAlwaysUsedByClients(t *testing.T) {
	percent := dayLimit() / 100
	each := func(n quota.Neurons) func(int) quota.Neurons { return func(int) quota.Neurons { return n } }
	for _, d := range []clientsDay{
		{name: "budgets below the limit", budget: each(10 * percent)},
		{
			name:   "budgets of many sizes",
			budget: func(i int) quota.Neurons { return quota.Neurons(8+3*i) * percent / 2 },
		},
		{name: "budgets beyond the limit", budget: each(50 * percent), account: true},
		{name: "budgets that come to the limit", budget: each(dayLimit() / dayClients), account: true},
		{
			name:   "half of them have a budget",
			budget: func(i int) quota.Neurons { return quota.Neurons(i%2) * 5 * percent }, account: true,
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
	limit := dayLimit()
	g := newGuarded(t, quota.Options{Limit: limit, Wait: 10 * time.Second},
		workersai.Options{Latency: 20 * time.Millisecond, Seed: seed}, withClients(t, entries...))
	var wg sync.WaitGroup
	for caller := range dayCallers {
		rng := rand.New(rand.NewPCG(seed, uint64(caller)))
		day := randomDay{key: keyOf(fmt.Sprintf("c%d", caller%dayClients))}
		wg.Go(func() { day.call(g, rng) })
	}
	wg.Wait()
	random := spentBy(g.ledger.Snapshot())
	for i := range dayClients {
		useUp(g, fmt.Sprintf("c%d", i))
	}
	smallest := estimateOf(g, oneToken)
	billed, s := g.sim.Billed(), g.close()
	wantEqual(t, fmt.Sprintf("seed %d: counted", seed), s.Account.Used, billed)
	spent, sum, sumOfRandom := spentBy(s), quota.Neurons(0), quota.Neurons(0)
	for i := range dayClients {
		client, budget := fmt.Sprintf("c%d", i), d.budget(i)
		sum += spent[client]
		sumOfRandom += random[client]
		if budget > 0 && spent[client] > budget {
			t.Errorf("seed %d: got %v spent by %s, want at most %v", seed, spent[client], client, budget)
		}
		if !d.account && random[client] < budget-leftAtRandom {
			t.Errorf("seed %d: got %v spent by random calls of %s, want at least %v", seed, random[client], client,
				budget-leftAtRandom)
		}
		if !d.account && spent[client] <= budget-smallest {
			t.Errorf("seed %d: got %v spent by %s, want more than %v", seed, spent[client], client, budget-smallest)
		}
	}
	wantEqual(t, fmt.Sprintf("seed %d: spent by the clients", seed), sum, billed)
	if billed > limit {
		t.Errorf("seed %d: got %v billed, want at most %v", seed, billed, limit)
	}
	if least := limit - dayClients*leftAtRandom; d.account && sumOfRandom < least {
		t.Errorf("seed %d: got %v spent by random calls, want at least %v", seed, sumOfRandom, least)
	}
	if least := limit - dayClients*smallest; d.account && billed <= least {
		t.Errorf("seed %d: got %v billed, want more than %v", seed, billed, least)
	}
	for _, budget := range s.Clients {
		client, _ := strings.CutPrefix(string(budget.Budget), string(quota.ClientBudget("")))
		if budget.Used != spent[client] || budget.Reserved != 0 {
			t.Errorf("seed %d: got the budget %+v, want used %v, reserved 0", seed, budget, spent[client])
		}
	}
	t.Logf("%.2f %% of the limit, clients %v", 100*billed.Float()/limit.Float(), spent)
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
	stops  quota.Neurons // per cent of the limit
}{{"low", 80}, {"normal", 95}, {"high", 100}}

// Of the account's day low stops at 80 %, normal at 95 %, high goes on: each to
// the last neuron that its smallest call needs.
func TestPrioritiesStopAtTheirFloors(t *testing.T) {
	virtually(t, func(t *testing.T) {
		limit := dayLimit()
		g := newGuarded(t, quota.Options{Limit: limit, Wait: 10 * time.Second},
			workersai.Options{Latency: 20 * time.Millisecond},
			withClients(t, "low, priority: low", "normal, priority: normal", "high"))
		smallest := estimateOf(g, oneToken)
		for i, p := range priorities {
			stops := limit / 100 * p.stops
			spend(g, 64, p.client)
			w := useUp(g, p.client)
			name := "priority_floor"
			if stops == limit {
				name = "account_limited"
			}
			used := g.ledger.Snapshot().Account.Used
			if used > stops || used+smallest <= stops {
				t.Errorf("%s: got a stop at %v (a call needs %v), want at most %v, less than a call below it",
					p.client, used, smallest, stops)
			}
			wantHas(t, p.client, w.Body.String(), `"name":"`+name+`"`)
			if !strings.Contains(w.Header().Get("Ratelimit"), `"neurons";r=0;`) {
				t.Errorf("%s: got ratelimit %q, want neurons with r=0", p.client, w.Header().Get("Ratelimit"))
			}
			for _, before := range priorities[:i] {
				if w := g.post(chatPath, oneToken, "X-Api-Key", keyOf(before.client)); w.Code != 429 {
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
			limit := dayLimit()
			var sent sync.Map // by client: sent at last, with how much used
			g := newGuarded(t, quota.Options{Limit: limit, Wait: 10 * time.Second},
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
				stops := limit / 100 * p.stops
				if last, sentAny := sent.Load(p.client); !sentAny || last.(quota.Neurons) > stops {
					t.Errorf("seed %d: got the last call of %s sent (%v) at %v, want one (true) at %v or less", seed,
						p.client, sentAny, last, stops)
				}
			}
			s := g.close()
			if s.Account.Used > limit || s.Account.Used < limit*99/100 {
				t.Errorf("seed %d: got used %v, want it from %v to %v", seed, s.Account.Used, limit*99/100, limit)
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

// useUp spends what random calls of a client have left, by calls of fewer and fewer tokens, and returns the refusal of
// one token.
func useUp(g *guarded, client string) *httptest.ResponseRecorder {
	var w *httptest.ResponseRecorder
	for tokens := 256; tokens >= 1; {
		body := strings.Replace(chat, "{", fmt.Sprintf(`{"max_tokens":%d,`, tokens), 1)
		w = g.post(chatPath, body, "X-Simulate", fmt.Sprintf("tokens=%d", tokens), "X-Api-Key", keyOf(client))
		if w.Code != 200 {
			tokens /= 2
		}
	}
	return w
}

// estimateOf is what is reserved for a chat.
func estimateOf(g *guarded, body string) quota.Neurons {
	return g.config.Estimator.Estimate(g.config.Estimator.Resolve(testModel),
		requestOf("v1/chat/completions", workload.TextGeneration, body)).Neurons
}
