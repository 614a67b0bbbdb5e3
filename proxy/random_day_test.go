package proxy

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/guard"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// seeds is how many random days of each kind the guard is held against, and random answers, if they are more than the
// few that are always made: go test ./proxy -run TestNeverOverAlwaysUsed -seeds 1000
var seeds = flag.Uint64("seeds", 1, "random days of each kind, or random answers, that the count is held against")

// dayNeurons is the limit of a random day. A day of the whole free allocation takes minutes under the race detector:
// go test ./proxy -run 'TestNeverOverAlwaysUsed|TestPriorities|TestCancelledStreams' -neurons 10000
var dayNeurons = flag.Int64("neurons", 1_000, "limit of a random day")

// A randomDay is 64 callers of random models, sizes, streams and failures against
// a limit, until nothing fits any more.
type randomDay struct {
	name      string
	leavers   leavers
	unlimited bool // callers name no max_tokens
	bills     workersai.Cancelled
	aborted   guard.Aborted
	recovers  bool    // many calls fail at first; they are repeated, and each attempt is paced
	exact     bool    // what is counted is what is billed
	shortfall float64 // how far below the limit the bill may end, in per cent of the limit: see byChance
	excess    float64 // how far above it, likewise
	key       string  // of the client whose callers these are; "": there are no clients
}

// leavers are the calls of which a quarter is cancelled by the caller.
type leavers uint8

const (
	noLeavers leavers = iota
	leaversOfStreams
	leaversOfAll
)

const dayCallers = 64

func dayLimit() quota.Neurons { return quota.Neurons(*dayNeurons) * neuron }

// byChance is how far a day may end from its limit by chance, in per cent of it, where a day of the whole allocation
// may do so by percent. The fewer the calls of a day, the less they even each other out: with the root of their number.
func byChance(percent float64) float64 { return percent * math.Sqrt(10_000/float64(*dayNeurons)) }

// Never over, always used: what is billed stays below the limit and comes to 99 % of it. Three kinds of days fall short
// of one of the two, by no more than is said here. A stream that is cancelled counts a second's generation beside what
// came, whose long words count as several tokens each, and so less is billed. A call that is not streamed runs on when
// its caller leaves, and nobody hears what it cost: it counts all that it may have cost, and so less is billed. And
// whether Workers AI bills a stream whole that was cut off is not known: if it did, what was seen would be too little
// to count, and the limit would be passed by what callers did not see, unless NEURONWARD_ABORTED=estimate.
func TestNeverOverAlwaysUsed(t *testing.T) {
	for _, d := range []randomDay{
		{name: "all stay", exact: true, shortfall: 1},
		{name: "streams are cancelled", leavers: leaversOfStreams, shortfall: 6},
		{name: "all calls are cancelled", leavers: leaversOfAll, shortfall: 20},
		{name: "no max_tokens", unlimited: true, exact: true, shortfall: 1},
		{name: "no max_tokens, streams are cancelled", unlimited: true, leavers: leaversOfStreams, shortfall: 6},
		{name: "failures are retried", recovers: true, exact: true, shortfall: 1},
		{name: "failures are retried, streams are cancelled", recovers: true, leavers: leaversOfStreams, shortfall: 6},
		{
			name:    "cut-off streams are billed whole and counted fairly",
			leavers: leaversOfStreams, bills: workersai.CancelledWhole,
			shortfall: 6, excess: 12,
		},
		{
			name:    "cut-off streams are billed whole and counted whole",
			leavers: leaversOfStreams, bills: workersai.CancelledWhole,
			aborted: guard.Estimate, shortfall: 20,
		},
	} {
		t.Run(d.name, func(t *testing.T) {
			least, most := 1000.0, 0.0
			for seed := range *seeds {
				virtually(t, func(t *testing.T) {
					percent := d.run(t, seed+1)
					least, most = min(least, percent), max(most, percent)
				})
			}
			t.Logf("%d days: %.2f %% to %.2f %% of the limit billed", *seeds, least, most)
		})
	}
}

// run returns how much was billed, in per cent of the limit.
func (d *randomDay) run(t *testing.T, seed uint64) float64 {
	t.Helper()
	var unseen atomic.Int64 // billed for streams that were cancelled
	limit := dayLimit()
	g := newGuarded(t, quota.Options{Limit: limit, Wait: 10 * time.Second}, workersai.Options{
		Latency: 20 * time.Millisecond, Seed: seed, Billing: workersai.Billing{Cancelled: d.bills},
		OnCall: func(c workersai.Call) {
			if c.Aborted {
				unseen.Add(int64(c.Neurons))
			}
		},
	}, func(c *Config) {
		c.Aborted = d.aborted
		if d.recovers {
			c.Retries, c.RetryBudget = 3, 1
			atPace(t, "text-generation=100", time.Minute)(c)
		}
	})
	var wg sync.WaitGroup
	for caller := range dayCallers {
		rng := rand.New(rand.NewPCG(seed, uint64(caller)))
		wg.Go(func() { d.call(g, rng) })
	}
	wg.Wait()
	if d.recovers {
		d.recovered(g, seed)
	}
	billed, passed := g.sim.Billed(), quota.Neurons(0)
	s := g.close()
	if d.excess > 0 {
		passed = quota.Neurons(unseen.Load())
	}
	percent := 100 * billed.Float() / limit.Float()
	if billed > limit+passed {
		t.Errorf("seed %d: got %v billed, want at most %v", seed, billed, limit+passed)
	}
	if most := 100 + byChance(d.excess); percent > most {
		t.Errorf("seed %d: got %.2f %% of the limit billed, want at most %.2f %%", seed, percent, most)
	}
	if least := 100 - byChance(d.shortfall); percent < least {
		t.Errorf("seed %d: got %.2f %% of the limit billed, want at least %.2f %%", seed, percent, least)
	}
	counted := s.Account.Used
	if counted > limit || counted < limit*99/100 {
		t.Errorf("seed %d: got %v counted, want %v to %v", seed, counted, limit*99/100, limit)
	}
	if counted+passed < billed {
		t.Errorf("seed %d: got %v counted, want at least %v", seed, counted, billed-passed)
	}
	if d.exact && counted != billed {
		t.Errorf("seed %d: got %v counted, want exactly the %v billed", seed, counted, billed)
	}
	return percent
}

// dayModels are what is called, the dearest first.
var dayModels = []string{
	"@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
	"@cf/openai/gpt-oss-120b",
	"@cf/qwen/qwen3-30b-a3b-fp8", testModel,
}

// recoverable are failures that further attempts recover from, one that they do not but that
// slows the pace down, and none.
var recoverable = []string{
	"3040; times=1; ", "3040; times=2; ", "3050; times=2; ", "html-502; times=1; ",
	"3021; times=1; ", "", "",
}

// noNeurons is a refusal for the lack of neurons, not of capacity or of a turn.
var noNeurons = regexp.MustCompile(
	`"name":"(account_limited|client_budget_exhausted|priority_floor|quota_contended)".*"origin":"guard"`)

// recovered checks that the day was what it was to be: calls were repeated, with
// success, and others waited for their turn.
func (d *randomDay) recovered(g *guarded, seed uint64) {
	g.t.Helper()
	b := &bench{t: g.t, metrics: g.config.Metrics}
	recovered := b.value("neuronward_retries_total", "outcome", "recovered")
	families, err := g.config.Metrics.Gatherer().Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	waited := 0.0 // seconds
	for _, f := range families {
		if f.GetName() == "neuronward_rate_wait_seconds" {
			waited = f.GetMetric()[0].GetHistogram().GetSampleSum()
		}
	}
	least := dayLimit().Float() / 100
	if recovered < least {
		g.t.Errorf("seed %d: got %v calls that further attempts recovered, want at least %v", seed, recovered, least)
	}
	if waited < least {
		g.t.Errorf("seed %d: got %.0f s in which calls waited for their turn, want at least %v", seed, waited, least)
	}
}

// call is one caller, who goes on until smaller and smaller calls are refused.
// Who names no max_tokens turns to cheaper models: his bound is the model's.
func (d *randomDay) call(g *guarded, rng *rand.Rand) {
	models := dayModels
	table := g.config.Estimator.Table()
	for size, refused := 2000, 0; size >= 1; {
		stream := rng.IntN(2) == 0
		model, tokens := models[rng.IntN(len(models))], 1+rng.IntN(size)
		limit := fmt.Sprintf(`"max_tokens":%d,`, 1+rng.IntN(size))
		if d.unlimited {
			limit, tokens = "", min(tokens, int(table.Resolve(model).DefaultOutput)) // as upstream cuts it
		}
		body := fmt.Sprintf(`{"model":%q,%s"stream":%v,"messages":[{"role":"user","content":%q}]}`, model, limit,
			stream, strings.Repeat("word ", rng.IntN(size/10+1)))
		simulate := "tokens=" + strconv.Itoa(tokens)
		ctx, leave := context.WithCancel(context.Background())
		if d.recovers {
			simulate = recoverable[rng.IntN(len(recoverable))] + simulate
		}
		switch rng.IntN(12) {
		case 0:
			simulate = "3040"
		case 1:
			simulate = "5006"
		case 2, 3, 4: // in the middle of the answer or after it
			if d.leavers == leaversOfAll || d.leavers == leaversOfStreams && stream {
				time.AfterFunc(time.Duration(rng.IntN(size))*20*time.Millisecond, leave)
			}
		}
		w := g.postWith(ctx, chatPath, body, "X-Simulate", simulate, "X-Api-Key", d.key)
		leave()
		if w.Code == 429 && noNeurons.MatchString(w.Body.String()) {
			size /= 2
			if refused++; d.unlimited && refused%2 == 0 && len(models) > 1 {
				models = models[1:]
			}
		}
	}
}
