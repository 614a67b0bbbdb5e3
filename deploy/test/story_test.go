package deploytest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// A kind of call comes so many times a second, at a time of the run from 0 to 1.
type kind struct {
	rate func(at float64) float64
	call func(dice *rand.Rand) call
}

// between is 1 within a part of the run, else 0.
func between(from, to float64) func(at float64) float64 {
	return func(at float64) float64 {
		if from <= at && at < to {
			return 1
		}
		return 0
	}
}

// scale is f times factor, on top of what there always is.
func scale(always, factor float64, f func(at float64) float64) func(at float64) float64 {
	return func(at float64) float64 { return always + factor*f(at) }
}

// day is a day that goes wrong, in minutes: a model runs out of capacity, a batch job spends too fast and
// reaches its budget, Workers AI has an outage, and in the end nothing is left.
func day() []kind {
	good, bad := ordinary(), simulated()
	capacity, batch, outage := between(.15, .32), between(.4, 1), between(.52, .6)
	one := func(c call) func(*rand.Rand) call { return func(*rand.Rand) call { return c } }
	dear := call{
		client: "batch-jobs", path: "/v1/chat/completions",
		body: fmt.Sprintf(`{"model":%q,"max_tokens":60,"messages":[{"role":"user","content":"Hello"}]}`, dearModel),
	}
	report := dear
	report.client = "chatbot"
	return []kind{
		{scale(14, 0, outage), func(dice *rand.Rand) call { return good[dice.IntN(len(good))] }},
		{scale(.7, 0, outage), func(dice *rand.Rand) call { return bad[dice.IntN(len(bad))] }},
		{scale(.9, 0, batch), one(report)},
		{scale(0, 2, batch), one(dear)},
		{scale(.1, 6, capacity), one(run("console", busyModel, "3040"))},
		{scale(1, 0, capacity), one(run("chatbot", busyModel, "3040; times=1"))},
		{scale(0, 5, outage), one(run("chatbot", chatModel, "html-502"))},
		{scale(0, 1, outage), one(chat("search-team", streamed).with("midstream=cut"))},
	}
}

// runDay runs three replicas through a day of so long, and returns what a Prometheus saw of it.
func runDay(t *testing.T, length time.Duration) *stack {
	t.Helper()
	var back atomic.Int64
	u := startUpstream(t, workersai.Options{
		Latency: 8 * time.Millisecond,
		Now:     func() time.Time { return time.Now().Add(-time.Duration(back.Load())) },
	})
	f := startServing(t, 3, u, "NEURONWARD_RECONCILE=10s")
	// Somebody else has spent of the account, long enough ago to be in its own figure.
	back.Store(int64(20 * time.Minute))
	for range 120 {
		callPastProxies(t.Context(), f.client, u)
	}
	back.Store(0)
	s := &stack{}
	s.prometheus = startPrometheus(t, map[string][]string{"neuronward": f.targets()}, "")
	s.began = time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.WaitGroup
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // runs are to be alike
	kinds := day()
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for now := range tick.C {
		at := now.Sub(s.began).Seconds() / length.Seconds()
		if at >= 1 {
			break
		}
		for _, k := range kinds {
			if dice.Float64() < k.rate(at)*pause.Seconds() {
				c, r := k.call(dice), f.replicas[dice.IntN(len(f.replicas))]
				calls.Go(func() { f.send(ctx, r, c) }) //nolint:errcheck // some calls are to fail
			}
		}
	}
	cancel()
	calls.Wait()
	return s
}

// callPastProxies calls Workers AI itself.
func callPastProxies(ctx context.Context, client *http.Client, u *upstream) {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":60,"messages":[{"role":"user","content":"Hello"}]}`, dearModel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		u.url+"/accounts/"+upstreamAccount+"/ai/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+upstreamToken)
	if resp, err := client.Do(req); err == nil {
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // the answer is of no use
		resp.Body.Close()
	}
}
