package main

import (
	crand "crypto/rand"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// crashes is how often the binary is killed: go test ./cmd/neuronward -run TestProcessKilled -crashes 50
var crashes = flag.Int("crashes", 3, "how often the binary is killed on each plan and store")

const (
	crashCallers = 16
	crashCall    = `{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","max_tokens":10,"messages":[{"role":"user",` +
		`"content":"Hello"}]}`
	crashEstimate = 0.6 // neurons that this call may cost at most, by the table
)

// TestProcessKilled kills the binary with -9 at random moments under load, again and again on the same store. What is
// counted, used and lost, is never below what was billed, and what is above it is bounded for each kill: by the calls
// in flight, and without a limit by what was spent in the last two seconds, with one by 1 % of it.
func TestProcessKilled(t *testing.T) {
	t.Parallel()
	stores := map[string]func(t *testing.T) (setting string, store config.Store){
		"file": func(t *testing.T) (string, config.Store) {
			path := filepath.Join(t.TempDir(), "neurons")
			return "NEURONWARD_STORE=file:" + path, config.Store{Kind: config.StoreFile, Path: path}
		},
		"redis": func(t *testing.T) (string, config.Store) {
			setting := startRedis(t).url(redisWord)
			address, err := redisstore.Parse(strings.TrimPrefix(setting, "NEURONWARD_STORE="))
			if err != nil {
				t.Fatal(err)
			}
			return setting, config.Store{Kind: config.StoreRedis, Redis: address}
		},
	}
	for name, place := range stores {
		for plan, c := range map[string]struct {
			environ []string
			limit   float64
		}{
			"free":              {[]string{"NEURONWARD_PLAN=free"}, 10_000},
			"paid":              {[]string{"NEURONWARD_PLAN=paid"}, 0},
			"paid with a limit": {[]string{"NEURONWARD_PLAN=paid", "NEURONWARD_DAILY_NEURONS=100000"}, 100_000},
		} {
			t.Run(name+", "+plan, func(t *testing.T) {
				t.Parallel()
				setting, store := place(t)
				killAgainAndAgain(t, append(c.environ, setting), store, c.limit)
			})
		}
	}
}

func killAgainAndAgain(t *testing.T, environ []string, store config.Store, limit float64) {
	upstream := newBillingUpstream(t)
	environ = append([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.url + "/client/v4", "NEURONWARD_RATE_LIMITS=off",
	}, environ...)
	random := rand.New(rand.NewPCG(1, uint64(*crashes)))
	var allowed, excess, largest, counted, billed float64
	for crash := range *crashes {
		began := time.Now()
		p := start(t, environ)
		var calls sync.WaitGroup
		for range crashCallers {
			calls.Go(p.callUntilKilled)
		}
		for range 1 + random.IntN(300) {
			<-upstream.answered
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit()
		calls.Wait()
		upstream.idle() // what was at Workers AI when the proxy died is billed as well

		allowed += limit/100 + crashCallers*crashEstimate
		if limit == 0 {
			// TestWithoutALimitNothingIsForgotten keeps the bound itself, in virtual time. A busy machine hears late of
			// what was spent, and of what is not claimed any more.
			const late = 3
			allowed += late * upstream.billedSince(began)
		}
		former := excess
		counted, billed = countedIn(t, store), upstream.billedSince(time.Time{})
		excess = counted - billed
		largest = max(largest, excess-former)
		if excess < 0 {
			t.Errorf("kill %d: got %.3f neurons counted, want at least the %.3f billed", crash+1, counted, billed)
		}
		if excess > allowed {
			t.Errorf("kill %d: got %.3f neurons counted, want %.0f more than the %.3f billed at most",
				crash+1, counted, allowed, billed)
		}
	}
	again := start(t, environ)
	used := 0.0
	for end := time.Now().Add(time.Minute); ; { // Redis: until the last one that was killed counts as dead
		s := again.status()
		used = s.Used.Float()
		if got := used + s.Lost.Float(); got >= counted-0.001 || time.Now().After(end) {
			if got < billed {
				t.Errorf("/status: got %.3f neurons used and lost, want at least the %.3f billed", got, billed)
			}
			break
		}
		<-time.After(100 * time.Millisecond) // Redis needs seconds
	}
	again.stop()
	t.Logf("%d kills: billed %.2f, used %.2f, lost %.2f; above by %.2f, by one kill %.2f at most",
		*crashes, billed, used, counted-used, excess, largest)
}

// callUntilKilled makes calls until the proxy is dead.
func (p *process) callUntilKilled() {
	for {
		resp, err := http.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(crashCall))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return
		}
	}
}

// countedIn returns what store has of today: spent, and held by the dead, which is lost.
func countedIn(t *testing.T, at config.Store) float64 {
	t.Helper()
	store, closeStore, err := openStore(t.Context(), at, hexAccount, unwatched(), filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := store.Sync(t.Context(), quota.Report{
		Day: quota.DayOf(time.Now()), Replica: quota.Replica(crand.Text()), Seq: 1, Leave: true,
		Requests: []quota.BudgetRequest{{Budget: quota.Account}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := closeStore(); err != nil {
		t.Fatal(err)
	}
	b := reply.Balances[0]
	return (b.Spent + b.Held + b.Lost).Float()
}

// A billingUpstream is a simulated Workers AI that remembers when it billed what.
type billingUpstream struct {
	url      string
	answered chan struct{} // a value for each call
	running  sync.WaitGroup

	mu   sync.Mutex
	bill []billedCall
}

type billedCall struct {
	at      time.Time
	neurons quota.Neurons
}

func newBillingUpstream(t *testing.T) *billingUpstream {
	u := &billingUpstream{answered: make(chan struct{}, 1<<16)}
	simulator := workersai.New(workersai.Options{
		Account: hexAccount, Token: fakeToken, OnCall: func(c workersai.Call) {
			u.mu.Lock()
			u.bill = append(u.bill, billedCall{time.Now(), c.Neurons})
			u.mu.Unlock()
			u.answered <- struct{}{}
		},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.running.Add(1)
		defer u.running.Done()
		simulator.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	u.url = server.URL
	return u
}

// idle waits until no call is under way.
func (u *billingUpstream) idle() {
	u.running.Wait()
	for len(u.answered) > 0 {
		<-u.answered
	}
}

// billedSince returns what was billed from then on.
func (u *billingUpstream) billedSince(then time.Time) float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	var sum quota.Neurons
	for _, c := range u.bill {
		if !c.at.Before(then) {
			sum += c.neurons
		}
	}
	return sum.Float()
}
