package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// fleets is how many days of replicas are run: go test ./cmd/neuronward -run TestReplicas -fleets 10 -day 10000
var (
	fleets   = flag.Int("fleets", 1, "how often replicas spend a day together")
	fleetDay = flag.Float64("day", 4000, "neurons of that day")
)

// A fleet is processes on one Redis server, and callers in front of them, as behind a load balancer.
type fleet struct {
	t         *testing.T
	server    *redisServer
	simulator *workersai.Simulator
	answered  chan struct{} // by Workers AI
	upstream  *httptest.Server
	environ   []string
	body      string
	client    *http.Client
	atWork    sync.WaitGroup // calls that are at Workers AI
	arrives   sync.Map       // request id to func(), called once the call is there
	came      arrivals
	takes     time.Duration // of a call at Workers AI

	mu   sync.Mutex
	live []*process

	calls    sync.WaitGroup
	asked    atomic.Int64
	over     chan struct{} // closed when callers are to end
	spent    atomic.Int64  // refusals in a row for the day that is spent
	stopOnce sync.Once

	slow struct {
		sync.Mutex
		longest time.Duration
		nearEnd time.Time // when nine tenths of the day were spent
	}
	outcomes sync.Map // what an answer says, to *atomic.Int64
}

// arrivals are the times at which calls came to Workers AI.
type arrivals struct {
	sync.Mutex
	at []time.Time
}

func (a *arrivals) now() {
	a.Lock()
	defer a.Unlock()
	a.at = append(a.at, time.Now())
}

// within is the largest number of them in any window between two times.
func (a *arrivals) within(window time.Duration, from, to time.Time) (highest int) {
	a.Lock()
	defer a.Unlock()
	first := 0
	for i, at := range a.at {
		if at.Before(from) || at.After(to) {
			continue
		}
		for a.at[first].Before(from) || at.Sub(a.at[first]) >= window {
			first++
		}
		highest = max(highest, i-first+1)
	}
	return highest
}

// fleetCall may cost fleetEstimate neurons at most.
const (
	fleetCall = `{"model":"@cf/meta/llama-3.3-70b-instruct-fp8-fast","max_tokens":100,` +
		`"messages":[{"role":"user","content":"Hello"}]}`
	fleetEstimate = 25.0
)

func newFleet(t *testing.T, server *redisServer, more ...string) *fleet {
	t.Helper()
	f := &fleet{
		t: t, server: server, body: fleetCall, over: make(chan struct{}),
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
		answered: make(chan struct{}, 1),
	}
	f.simulator = workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken, OnCall: func(workersai.Call) {
		select {
		case f.answered <- struct{}{}:
		default:
		}
	}})
	t.Cleanup(f.client.CloseIdleConnections)
	f.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.atWork.Add(1)
		defer f.atWork.Done()
		f.came.now()
		if arrived, ok := f.arrives.Load(r.Header.Get("X-Request-Id")); ok {
			arrived.(func())()
		}
		<-time.After(f.takes)
		f.simulator.ServeHTTP(w, r)
	}))
	t.Cleanup(f.upstream.Close)
	f.environ = append([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + f.upstream.URL + "/client/v4",
		server.url(redisWord), "NEURONWARD_PLAN=free",
		fmt.Sprintf("NEURONWARD_DAILY_NEURONS=%v", *fleetDay), "NEURONWARD_RATE_LIMITS=off",
		"NEURONWARD_LOG_LEVEL=warn",
	}, more...)
	return f
}

func (f *fleet) join() *process {
	f.t.Helper()
	return f.joinAs("neuronward")
}

// joinAs is join of a certain binary.
func (f *fleet) joinAs(binary string) *process {
	f.t.Helper()
	p := launchBinary(f.t, binary, processLimit, append(f.environ, "NEURONWARD_LOG_LEVEL=info"))
	p.listening()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = append(f.live, p)
	return p
}

// without takes a process out of the load balancer, and waits until it has taken each call that was sent to it.
func (f *fleet) without(p *process) {
	defer p.coming.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var live []*process
	for _, q := range f.live {
		if q != p {
			live = append(live, q)
		}
	}
	f.live = live
}

// next is the process that the next call goes to. The call is on its way there from now on.
func (f *fleet) next() *process {
	n := f.asked.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.live[n%int64(len(f.live))]
	p.coming.Add(1)
	return p
}

// load lets callers call until end, or until the day is spent.
func (f *fleet) load(callers int) {
	for range callers {
		f.calls.Go(func() {
			for {
				select {
				case <-f.over:
					return
				default:
				}
				f.call(f.next())
			}
		})
	}
}

func (f *fleet) call(p *process) {
	arrived, id := sync.OnceFunc(p.coming.Done), rand.Text()
	f.arrives.Store(id, arrived)
	defer f.arrives.Delete(id)
	defer arrived() // one that is refused never is at Workers AI
	began := time.Now()
	outcome := "broken"
	r, err := http.NewRequest(http.MethodPost, p.app+"/v1/chat/completions", strings.NewReader(f.body))
	if err != nil {
		f.t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", id)
	resp, err := f.client.Do(r)
	if err == nil {
		var answer struct{ Error struct{ Name string } }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil {
			outcome = answer.Error.Name
		}
	}
	took := time.Since(began)
	f.slow.Lock()
	f.slow.longest = max(f.slow.longest, took)
	if f.billed() < 0.9**fleetDay {
		f.slow.nearEnd = time.Now()
	}
	f.slow.Unlock()
	n, _ := f.outcomes.LoadOrStore(outcome, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	if outcome != "account_limited" {
		f.spent.Store(0)
	} else if f.spent.Add(1) > 200 {
		f.end()
	}
	if outcome != "" {
		pause()
	}
}

// count is how many answers had this outcome; "" is success.
func (f *fleet) count(outcome string) int64 {
	if n, ok := f.outcomes.Load(outcome); ok {
		return n.(*atomic.Int64).Load()
	}
	return 0
}

// longest is the longest call since it was asked last.
func (f *fleet) longest() time.Duration {
	f.slow.Lock()
	defer f.slow.Unlock()
	d := f.slow.longest
	f.slow.longest = 0
	return d
}

func (f *fleet) end() { f.stopOnce.Do(func() { close(f.over) }) }

// wait waits until the callers have ended and no call is at Workers AI.
func (f *fleet) wait() {
	f.calls.Wait()
	f.atWork.Wait()
}

// billed is what Workers AI has billed, in neurons.
func (f *fleet) billed() float64 { return f.simulator.Billed().Float() }

// until waits until so much was billed.
func (f *fleet) until(billed float64) {
	f.t.Helper()
	end := time.After(5 * time.Minute)
	for f.billed() < billed {
		select {
		case <-f.answered:
		case <-end:
			f.t.Fatalf("got %.1f neurons billed in time, want %.1f", f.billed(), billed)
		}
	}
}

// summary is the outcomes of calls.
func (f *fleet) summary() string {
	text := ""
	f.outcomes.Range(func(outcome, n any) bool {
		if outcome == "" {
			outcome = "ok"
		}
		text += fmt.Sprintf(" %v %d", outcome, n.(*atomic.Int64).Load())
		return true
	})
	return strings.TrimSpace(text)
}

// Three replicas spend a day together on each kind of server, and three among which one joins, one leaves and one is
// killed: never more than the limit is billed, and nearly all of it is used, but for what the one that was killed held,
// which is told as lost.
func TestReplicasSpendADay(t *testing.T) {
	t.Parallel()
	const callers = 96
	limit := *fleetDay
	for range *fleets {
		for _, binary := range []string{"redis-server", "valkey-server"} {
			t.Run("three on "+binary, func(t *testing.T) {
				f := newFleet(t, startServer(t, binary))
				a := f.join()
				f.join()
				f.join()
				f.load(callers)
				f.wait()
				s := a.status()
				billed := f.billed()
				t.Logf("three replicas: billed %.2f of %.0f (%.2f %%), used %v, lost %v, replicas %d; "+
					"longest call %v; %s",
					billed, limit, billed/limit*100, s.Used, s.Lost, s.Replicas,
					f.longest().Round(time.Millisecond), f.summary())
				if billed > limit || billed < 0.98*limit {
					t.Errorf("got %.2f neurons billed, want 98 to 100 %% of %.0f", billed, limit)
				}
				f.counted(a, billed, 0)
			})
		}
		t.Run("coming and going", func(t *testing.T) {
			f := newFleet(t, startRedis(t))
			first, second, third := f.join(), f.join(), f.join()
			f.load(callers)
			f.until(limit / 5)
			fourth := f.join()
			f.until(limit / 5 * 2)
			f.without(second)
			second.stop()
			f.until(limit / 5 * 3)
			f.without(third)
			if err := third.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			third.exit()
			f.wait()
			first.until("the killed one is noticed", func() bool { return first.status().Replicas == 2 })
			s := fourth.status()
			billed, lost := f.billed(), float64(*s.Lost)/1e6
			t.Logf("four came, one left, one was killed: "+
				"billed %.2f (%.2f %%), used %v, lost %.2f, replicas %d; longest call %v; %s",
				billed, billed/limit*100, s.Used, lost, s.Replicas, f.longest().Round(time.Millisecond), f.summary())
			if billed > limit || billed+lost < 0.98*limit {
				t.Errorf("got %.2f neurons billed and %.2f lost, want 98 to 100 %% of %.0f", billed, lost, limit)
			}
			f.counted(first, billed, limit/100+callers*fleetEstimate)
		})
	}
}

// counted checks what a process reports against what was billed: no less, and above it what was lost at most. It waits
// until the process has heard of what the others spent.
func (f *fleet) counted(p *process, billed, lost float64) {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); ; pause() {
		s := p.status()
		used, held := float64(*s.Used)/1e6, float64(*s.Lost)/1e6
		gauge, want := p.series("neuronward_neurons_lost"), strconv.FormatFloat(held, 'g', -1, 64)
		if used+held >= billed-1e-6 && used <= billed+1e-6 && held <= lost && gauge == want {
			return
		}
		if time.Now().After(end) {
			f.t.Errorf("got %.2f neurons used and %.2f lost, want the %.2f that were billed between them, and %.2f "+
				"lost at most; got the gauge %s of lost neurons", used, held, billed, lost, gauge)
			return
		}
	}
}
