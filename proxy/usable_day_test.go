package proxy

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// usable is whether every row of the table of usable days is held, and not the few that are always:
// go test ./proxy -run TestADayIsUsable -usable -v
var usable = flag.Bool("usable", false, "hold each row of the table of usable days")

// A usableDay is a day of the free plan with default settings that callers spend who make one kind of call.
type usableDay struct {
	model   string
	prompt  int // bytes
	callers int
	limited bool // calls have max_tokens
}

const (
	usableLimit  = 10_000 * neuron
	usableOutput = 1024 // max_tokens, where calls have it
)

// usableModels are what is called: models that document a default of max_tokens, and models that document none.
var usableModels = []string{
	"@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b",
	"@cf/openai/gpt-oss-120b", "@cf/openai/gpt-oss-20b", "@cf/qwen/qwen3-30b-a3b-fp8",
	"@cf/zai-org/glm-4.7-flash", "@cf/moonshotai/kimi-k2.6",
}

func usableDays() (days []usableDay) {
	for i, model := range usableModels {
		for _, prompt := range []int{1000, 20_000, 100_000} {
			for _, callers := range []int{8, 40} {
				for _, limited := range []bool{false, true} {
					// A day of few calls takes little time.
					always := prompt == 100_000 && callers == 8 && i%2 == 0 && i != 4 && limited == (i%4 == 0)
					if *usable || always {
						days = append(days, usableDay{model, prompt, callers, limited})
					}
				}
			}
		}
	}
	return days
}

// Of a day 97 % is used, or all but 1 % and 1.33 of the dearest call where that is more. Its limit is never passed, but
// by calls without a limit to a model that documents no default: of those the next may be longer than all before.
func TestADayIsUsable(t *testing.T) {
	var table strings.Builder
	for i, d := range usableDays() {
		virtually(t, func(t *testing.T) { table.WriteString(d.run(t, uint64(i))) })
	}
	t.Logf("\n%-46s %6s %7s %-6s %5s %7s %8s %9s %8s %6s\n%s", "model", "prompt", "callers", "limit", "calls",
		"used %", "dearest", "at once", "before", "waits", &table)
}

// run spends the day and returns its line of the table.
func (d *usableDay) run(t *testing.T, seed uint64) string {
	t.Helper()
	name := fmt.Sprintf("%s, %d bytes, %d callers, limited: %t", d.model, d.prompt, d.callers, d.limited)
	model := price.Embedded().Resolve(d.model)
	documented := d.limited || model.DefaultOutput > 0
	var dearest, calls, waits atomic.Int64
	g := newGuarded(t, quota.Options{Limit: usableLimit, Wait: 10 * time.Second, Margin: 0.01}, workersai.Options{
		Latency: 20 * time.Millisecond, Seed: seed,
		OnCall: func(c workersai.Call) {
			calls.Add(1)
			for was := dearest.Load(); int64(c.Neurons) > was && !dearest.CompareAndSwap(was, int64(c.Neurons)); {
				was = dearest.Load()
			}
		},
	}, func(c *Config) { c.MaxBody, c.MaxHeld, c.RetryAfterMax = 1<<20, 1<<30, time.Hour })
	if e := g.config.Estimator; !documented {
		// Until 20 answers were seen much more is set aside: this is the day after.
		for range 20 {
			e.Learn(model, workload.Request{}, price.Estimate{}, price.Told{Output: 1000})
		}
	}
	body := d.body()
	atOnce, before := d.atOnce(g, model, body)
	var all sync.WaitGroup
	for caller := range d.callers {
		rng := rand.New(rand.NewPCG(seed, uint64(caller)))
		all.Go(func() { waits.Add(d.call(t, g, model, body, rng)) })
	}
	all.Wait()
	billed := g.sim.Billed()
	used := g.close().Account.Used
	wantEqual(t, name+": used", used, billed)
	if billed > usableLimit && documented {
		t.Errorf("%s: got %v billed, want at most the limit of %v", name, billed, usableLimit)
	}
	spare := 1.33
	if !documented {
		spare *= 1.5 // as much is set aside for an answer that is longer than all before
	}
	least := min(0.97*usableLimit.Float(), 0.99*usableLimit.Float()-spare*quota.Neurons(dearest.Load()).Float())
	if used.Float() < least {
		t.Errorf("%s: got %v of the day used, want at least %v", name, used, least)
	}
	more := int64(1)
	if d.prompt >= 100_000 || !d.limited && model.DefaultOutput == 256 {
		more = 3
	}
	if documented && atOnce < more*before {
		t.Errorf("%s: got %d calls at once, want at least %d times the %d of before", name, atOnce, more, before)
	}
	return fmt.Sprintf("%-46s %6d %7d %-6t %5d %7.2f %8.1f %9d %8d %6d\n", d.model, d.prompt, d.callers, d.limited,
		calls.Load(), 100*used.Float()/usableLimit.Float(), quota.Neurons(dearest.Load()).Float(), atOnce, before,
		waits.Load())
}

// body is that of each call: prose, whose words are a token each.
func (d *usableDay) body() string {
	const prose = "The committee met on the first day of the month and heard what the members had to say about the " +
		"state of the house. It was agreed that the work would go on as before, and that the next report should be " +
		"ready by the end of the year.\n"
	limit := ""
	if d.limited {
		limit = fmt.Sprintf(`"max_tokens":%d,`, usableOutput)
	}
	text, err := json.Marshal(strings.Repeat(prose, d.prompt/len(prose)+1)[:d.prompt])
	if err != nil {
		panic(err) // a string has JSON
	}
	return fmt.Sprintf(`{"model":%q,%s"messages":[{"role":"user","content":%s}]}`, d.model, limit, text)
}

// atOnce is how many of the calls fit into an unspent day now, and how many did when every byte was a token and a call
// without a limit had 2,048.
func (d *usableDay) atOnce(g *guarded, model price.Model, body string) (now, before int64) {
	estimate := g.estimateOf("v1/chat/completions", d.model, body)
	output := int64(2048)
	if d.limited {
		output = usableOutput
	}
	return int64(usableLimit * 99 / 100 / estimate), int64(usableLimit / model.Tokens(int64(len(body))+64, 0, output))
}

// call is one caller, who goes on until the day is spent. Answers are log-normal, of 5 to 60 s. It returns how often
// the caller was told to come back later.
func (d *usableDay) call(t *testing.T, g *guarded, model price.Model, body string, rng *rand.Rand) (waits int64) {
	for {
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
		tokens := int(min(max(600*math.Exp(0.7*rng.NormFloat64()), 250), 3000))
		switch {
		case d.limited:
			tokens = min(tokens, usableOutput)
		case model.DefaultOutput > 0:
			tokens = min(tokens, int(model.DefaultOutput))
		}
		w := g.post(chatPath, body, "X-Simulate", "tokens="+strconv.Itoa(tokens))
		switch name := failureName(w.Body.Bytes()); {
		case w.Code == 200:
		case name == "account_limited":
			return waits
		case name == "quota_contended":
			waits++
			seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if err != nil {
				seconds = 5
			}
			time.Sleep(time.Duration(seconds) * time.Second)
		default:
			t.Errorf("got %d %.300s, want 200, account_limited or quota_contended", w.Code, w.Body)
			return waits
		}
	}
}

// failureName is the name of the failure in an envelope, "" for an answer.
func failureName(body []byte) string {
	var e struct {
		Error struct {
			Name string `json:"name"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &e) // what is no envelope has none
	return e.Error.Name
}
