package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

// A repeatingGateway is an AI Gateway that makes a call as often as cf-aig-max-attempts says, until an attempt works.
// It keeps the bill: attempts that ran into a time limit are billed, those that found no capacity are not.
type repeatingGateway struct {
	mu      sync.Mutex
	rng     *rand.Rand
	batches map[string]quota.Neurons // what each has cost, by its id
	last    int                      // their number

	billed quota.Neurons
	hidden quota.Neurons // of that: attempts before an answer that says what it cost itself, or before a free failure

	reserved quota.Neurons // at most, for all attempts
}

func (g *repeatingGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	status, answer, wait := g.answer(r, string(body))
	g.mu.Unlock()
	time.Sleep(wait)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (g *repeatingGateway) answer(r *http.Request, body string) (status int, answer string, wait time.Duration) {
	wait = time.Duration(g.rng.IntN(3000)) * time.Millisecond
	for id, cost := range g.batches {
		if strings.Contains(body, `"`+id+`"`) {
			if g.rng.IntN(2) == 0 {
				return 200, `{"result":{"status":"running","request_id":"` + id + `"},"success":true}`, wait
			}
			return 200, fmt.Sprintf(`{"result":{"responses":[{"result":{"response":"x"}}],"usage":{"neurons":%v}},`+
				`"success":true}`, cost.Float()), wait
		}
	}
	attempts, err := strconv.Atoi(r.Header.Get("Cf-Aig-Max-Attempts"))
	if err != nil {
		attempts = 1
	}
	before := quota.Neurons(0)
	g.reserved += quota.Neurons(attempts) * 4 * neuron // 3.8 for each
	for n := 1; ; n++ {
		output := g.rng.Int64N(100) + 1 // max_tokens
		cost := price.Embedded().Resolve(testModel).Tokens(1, 0, output)
		switch g.rng.IntN(6) {
		case 0:
			if n == attempts {
				g.hidden += before
				return 429, `{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded"}]}`, wait
			}
			continue
		case 1:
			g.billed += cost
			if n == attempts {
				return 408, `{"success":false,"errors":[{"code":3046,"message":"Request timeout"}]}`, wait
			}
			before += cost
			continue
		}
		g.billed += cost
		switch {
		case strings.Contains(body, "requests"):
			g.hidden += before
			g.last++
			id := fmt.Sprint("r-", g.last, "-")
			g.batches[id] = cost
			return 200, `{"result":{"status":"queued","request_id":"` + id + `"},"success":true}`, wait
		case g.rng.IntN(2) == 0:
			g.hidden += before
			answer = fmt.Sprintf(`{"result":{"response":"x","usage":{"neurons":%v}},"success":true}`, cost.Float())
			return 200, answer, wait
		}
		return 200, `{"result":{},"success":true}`, wait
	}
}

// cutStore is a store that a process does not reach any more once it was killed.
type cutStore struct {
	quota.Store
	killed atomic.Bool
}

var errKilled = errors.New("the process was killed")

func (s *cutStore) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if s.killed.Load() {
		return quota.Reply{}, errKilled
	}
	return s.Store.Sync(ctx, r)
}

func (s *cutStore) PutBatch(ctx context.Context, b quota.Batch) error {
	if s.killed.Load() {
		return errKilled
	}
	return s.Store.PutBatch(ctx, b)
}

// Attempts of AI Gateway and of this proxy, batches and kills, all at once: what is counted is no less than the bill,
// but for attempts that nobody tells of, and no more than what was set aside for all attempts.
func TestAttemptsOfAllAreCounted(t *testing.T) {
	for seed := range max(*seeds, 10) {
		virtually(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("this was seed %d", seed)
				}
			}()
			attemptsOfAll(t, seed)
		})
	}
}

func attemptsOfAll(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 23))
	gateway := &repeatingGateway{rng: rand.New(rand.NewPCG(seed, 29)), batches: map[string]quota.Neurons{}}
	store := memstore.New(nil)
	limit := 100_000 * neuron * quota.Neurons(rng.IntN(2)) // or none
	var cut *cutStore
	start := func() *guarded {
		cut = &cutStore{Store: store}
		return newGuarded(t, quota.Options{Store: cut, Limit: limit, Heartbeat: quota.Heartbeat},
			workersai.Options{}, func(c *Config) {
				c.Transport = inMemory{gateway}
				c.Retries, c.RetryBudget = 2, 1
			})
	}
	g, kills := start(), quota.Neurons(0)
	charged := map[string]quota.Neurons{} // of batches, by id
	for range 30 {
		path, body, poll := batchPath, `{"requests":[{"prompt":"x","max_tokens":100}]}`, ""
		switch rng.IntN(4) {
		case 0:
		case 1:
			poll = fmt.Sprintf("r-%d-", 1+rng.IntN(gateway.last+1))
			body = `{"request_id":"` + poll + `"}`
		default:
			path, body = "/run/"+testModel, `{"prompt":"x","max_tokens":100}`
		}
		attempts := strconv.Itoa(1 + rng.IntN(5))
		used, told, batches := g.ledger.Snapshot().Account.Used, gateway.billed-gateway.hidden, gateway.last
		var calling sync.WaitGroup
		calling.Go(func() { g.post(path, body, "Cf-Aig-Max-Attempts", attempts) })
		killed := rng.IntN(5) == 0
		if killed {
			kills++
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
			cut.killed.Store(true)
			gone, cancel := context.WithCancel(context.Background())
			cancel()
			_ = g.ledger.Close(gone) // which tells the store nothing
		}
		calling.Wait()
		if killed {
			g = start()
			continue
		}
		more, least := g.ledger.Snapshot().Account.Used-used, gateway.billed-gateway.hidden-told
		switch was, known := charged[poll]; {
		case known && more != 0:
			wantEqual(t, "what a batch costs in the end", was+more, gateway.batches[poll])
			delete(charged, poll)
		case poll == "" && more < least:
			t.Errorf("%s, %s attempts: got %v counted, want at least the %v billed", body, attempts, more, least)
		}
		if gateway.last > batches {
			charged[fmt.Sprintf("r-%d-", gateway.last)] = more
		}
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
	}
	time.Sleep(2 * quota.ReplicaTimeout) // until those that were killed are known to be dead
	s := g.close().Account
	if s.Used+s.Lost < gateway.billed-gateway.hidden {
		t.Errorf("got %v used and %v lost, want at least the %v billed, less %v that nobody tells of", s.Used, s.Lost,
			gateway.billed, gateway.hidden)
	}
	// A process that is killed held at most 1 % of the limit or, without one, what it had spent in two seconds.
	const twoSeconds = 40 * neuron
	if most := gateway.reserved + kills*max(limit/100, twoSeconds); s.Used+s.Lost > most {
		t.Errorf("got %v used and %v lost after %d kills, want at most %v", s.Used, s.Lost, kills, most)
	}
}
