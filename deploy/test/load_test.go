package deploytest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Models of the load. Storms without capacity are on one of their own, whose breaker opens.
const (
	chatModel  = "@cf/meta/llama-3.1-8b-instruct-fp8"
	dearModel  = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
	smallModel = "@cf/meta/llama-3.2-3b-instruct"
	busyModel  = "@cf/meta/llama-3.2-1b-instruct"
	embedModel = "@cf/baai/bge-base-en-v1.5"
)

// A call is one request of the load.
type call struct {
	client   string // of teams; "" sends a key that nobody has
	method   string // POST if empty
	path     string
	body     string
	simulate string        // x-simulate
	leave    time.Duration // after which the caller leaves; 0: it stays
}

func chat(client, more string) call {
	return call{
		client: client, path: "/v1/chat/completions",
		body: fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"Hello"}]%s}`, chatModel, more),
	}
}

func run(client, model, simulate string) call {
	return call{client: client, path: "/run/" + model, body: `{"prompt":"Hello"}`, simulate: simulate}
}

func (c call) with(simulate string) call {
	c.simulate = simulate
	return c
}

const streamed = `,"stream":true`

// ordinary are calls as apps make them; one takes longer than a second, so that it leaves an exemplar.
func ordinary() []call {
	embed := call{client: "docs", path: "/v1/embeddings", body: fmt.Sprintf(`{"model":%q,"input":"Hello"}`, embedModel)}
	return []call{
		chat("search-team", ""), chat("chatbot", streamed), run("batch-jobs", chatModel, ""), embed,
		chat("search-team", streamed),
		chat("chatbot", ""), run("search-team", smallModel, "tokens=20"),
		chat("chatbot", streamed).with("tokens=30; slow=30ms"), embed,
	}
}

// simulated are calls that fail, one for every way there is but one: that the day is spent, which ends all calls.
func simulated() []call {
	calls := []call{
		{path: "/run/" + chatModel, body: "{}"},
		{client: "chatbot", method: http.MethodGet, path: "/run/" + chatModel},
		{client: "chatbot", path: "/elsewhere"},
		{client: "chatbot", path: "/run/" + chatModel, body: "{"},
		{client: "chatbot", path: "/run/" + chatModel, body: `{"prompt":"` + strings.Repeat("x", 70<<10) + `"}`},
		{
			client: "chatbot", path: "/client/v4/accounts/ffffffffffffffffffffffffffffffff/ai/run/" + chatModel,
			body: "{}",
		},
		{
			client: "console", path: "/v1/chat/completions",
			body: fmt.Sprintf(`{"model":%q,"max_tokens":30000,"messages":[{"role":"user","content":"Hello"}]}`,
				dearModel),
		},
		run("docs", chatModel, ""),
		run("intern", chatModel, "tokens=200"),
		run("night-job", chatModel, ""),
		run("batch-jobs", chatModel, "3040; times=1"),
		chat("chatbot", streamed).with("empty-stream"),
		chat("chatbot", streamed).with("first=3040"),
		{
			client: "search-team", path: "/v1/chat/completions", body: chat("", streamed).body,
			simulate: "tokens=100; slow=50ms", leave: 300 * time.Millisecond,
		},
	}
	for _, failure := range []string{"reset", "hang", "html-502", "html-200", "empty", "ok-false"} {
		calls = append(calls, run("batch-jobs", chatModel, failure))
	}
	for _, end := range []string{"3040", "cut", "half", "idle", "end"} {
		calls = append(calls, chat("search-team", streamed).with("midstream="+end))
	}
	for _, e := range normalize.Catalog() {
		if e.Origins[0] != normalize.OriginUpstream || e.Code == normalize.AccountLimited {
			continue
		}
		calls = append(calls, run("chatbot", chatModel, e.Slug))
	}
	return calls
}

// load calls replicas until the test ends or stop is called, one call every pause: of eight calls two are to
// fail in turn in every way, and one is of a model that the first replica finds without capacity again and
// again.
func (f *fleet) load(pause time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var calls sync.WaitGroup
	good, bad := ordinary(), simulated()
	dice := rand.New(rand.NewPCG(3036, 3040)) //nolint:gosec // runs are to be alike
	calls.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			r, c := f.replicas[dice.IntN(len(f.replicas))], good[dice.IntN(len(good))]
			switch n % 8 {
			case 1, 5:
				c = bad[n/4%len(bad)]
			case 3:
				r, c = f.replicas[0], run("console", busyModel, "3040")
			}
			calls.Go(func() { f.send(ctx, r, c) }) //nolint:errcheck // some calls are to fail
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		calls.Wait()
	})
	f.t.Cleanup(stop)
	return stop
}

// spend makes Workers AI say that the account's day is spent. But for the demo, which knows that this was asked
// for, no call passes after that.
func (f *fleet) spend() {
	f.t.Helper()
	status, err := f.send(f.t.Context(), f.replicas[0], run("console", chatModel, "4006"))
	if err != nil || status != http.StatusTooManyRequests {
		f.t.Fatalf("a call with 4006 simulated: status %d, error %v, want 429 and none", status, err)
	}
}

// send makes a call and reads the answer to its end. It returns the status.
func (f *fleet) send(ctx context.Context, r *replica, c call) (int, error) {
	if c.leave > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.leave)
		defer cancel()
	}
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, r.app+c.path, strings.NewReader(c.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+f.keys[c.client])
	if c.simulate != "" {
		req.Header.Set("X-Simulate", c.simulate) // to the demo
		req.Header.Set(upstreamSimulateHeader, c.simulate)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
