package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A wire is a made-up call of which the true bill is known: what is asked, what the answer says of its cost and how,
// and how it ends. The zero value is a chat of one token that reports nothing.
type wire struct {
	protocol wireProtocol
	stream   bool
	model    string // "" is testModel
	dearer   int    // max_tokens above the output
	prompt   int    // words, and so many tokens and a template's
	output   int    // tokens
	perEvent int    // of them in one event; 0 is 1
	thinks   bool   // half of them are reasoning
	usage    wireUsage
	when     wireTime   // of a stream's usage
	header   wireHeader // cf-ai-neurons
	noise    bool       // comments, empty events, usage: null
	failed   string     // x-simulate of attempts before this one; "": none
	end      wireEnd
	at       float64 // how much of the answer came before such an end
	speed    int     // tokens a second, of a stream
	late     time.Duration
	bill     wireBill
}

type (
	wireProtocol uint8
	wireUsage    uint8
	wireTime     uint8
	wireHeader   uint8
	wireEnd      uint8
	wireBill     uint8
)

const (
	wireChat wireProtocol = iota
	wireNative
	wireResponses
	wireMessages
	wireEmbeddings
	wireBatch
	numWireProtocols
)

// What a usage has.
const (
	usageAbsent      wireUsage = iota
	usageBoth                  // tokens and neurons
	usageNeurons               // neurons alone
	usageTokens                // tokens alone
	usageZeros                 // zeros in all fields
	usageZeroNeurons           // tokens, and neurons of zero
	usagePrompt                // the prompt's tokens alone
	usageInput                 // the same, and neurons that are the prompt's alone
	usageTotal                 // a total that is above its parts
	numWireUsages
)

// When a stream has it.
const (
	timeLast       wireTime = iota // in an event of its own after the last text
	timeFinish                     // in the one that says why the answer ended
	timeIncrements                 // in each event what it adds
	timeBoth                       // likewise, and all of it in the end
	timeRunning                    // in each event all of it so far
	timeFirst                      // the prompt's in the first event, and nothing more
	numWireTimes
)

const (
	headerAbsent wireHeader = iota
	headerRight
	headerZero // 0.00
	headerLow  // 0.05
	numWireHeaders
)

const (
	endWhole   wireEnd = iota
	endLost            // the connection breaks after a byte
	endOrderly         // the answer ends after a byte, in order
	endLeft            // the caller leaves after an event
	endFailed          // a failure stands where more was expected, or in place of an answer
	numWireEnds
)

// What is billed of a stream that did not come to its end.
const (
	billMade  wireBill = iota // what was made until then
	billHalf                  // half of all that would have been made
	billWhole                 // all of it
	numWireBills
)

const (
	wireTemplate = 12 // tokens that a model's template adds to a prompt
	wireSecond   = 100
)

// wireModels are models of text with different prices.
var wireModels = []string{
	testModel, llama70, qwen30, gptOSS, glmFlash,
}

// newWire makes a wire from a seed.
func newWire(seed uint64) wire {
	rng := rand.New(rand.NewPCG(seed, 17))
	w := wire{
		protocol: wireProtocol(rng.IntN(int(numWireProtocols))),
		stream:   rng.IntN(3) > 0,
		model:    wireModels[rng.IntN(len(wireModels))],
		dearer:   rng.IntN(300),
		prompt:   1 + rng.IntN(1<<rng.IntN(10)),
		output:   1 + rng.IntN(1<<rng.IntN(9)),
		perEvent: 1 + rng.IntN(1<<rng.IntN(5)),
		thinks:   rng.IntN(4) == 0,
		usage:    wireUsage(rng.IntN(int(numWireUsages))),
		when:     wireTime(rng.IntN(int(numWireTimes))),
		header:   wireHeader(rng.IntN(int(numWireHeaders))),
		noise:    rng.IntN(2) == 0,
		failed:   []string{"", "", "", "3040", "html-502", "3050"}[rng.IntN(6)],
		end:      wireEnd(rng.IntN(int(numWireEnds))),
		at:       rng.Float64(),
		speed:    1 + rng.IntN(wireSecond),
		late:     time.Duration(rng.Int64N(int64(time.Second))),
		bill:     wireBill(rng.IntN(int(numWireBills))),
	}
	if w.protocol == wireEmbeddings {
		w.model, w.output = "@cf/baai/bge-m3", 0
	}
	return w
}

func (w wire) streams() bool {
	return w.stream && w.protocol != wireEmbeddings && w.protocol != wireBatch
}

func (w wire) price() price.Model {
	if w.model == "" {
		w.model = testModel
	}
	return price.Embedded().Resolve(w.model)
}

// cost is that of an output.
func (w wire) cost(output int) quota.Neurons {
	return w.price().Tokens(int64(w.prompt+wireTemplate), 0, int64(output))
}

// A wireResult is what came of a wire.
type wireResult struct {
	billed, counted, reserved quota.Neurons
	made                      quota.Neurons // what was billed by billMade
	passed                    int           // events of a stream
	log                       string
}

// run makes the call and returns what was billed and what was counted.
func (w wire) run(t *testing.T) wireResult {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	u := &wireUpstream{wire: w, leave: leave, made: w.output}
	g := newGuarded(t, quota.Options{Limit: 1_000_000 * neuron}, workersai.Options{}, func(c *Config) {
		c.Transport = inMemory{u}
		c.Retries, c.RetryBudget = 2, 1
	})
	path, body := w.request()
	call := func(ctx context.Context, body string) {
		defer func() { _ = recover() }() // the cut of a stream
		g.postWith(ctx, path, body)
	}
	call(ctx, body)
	if w.protocol == wireBatch {
		for range 4 {
			call(context.Background(), `{"request_id":"8f0c"}`)
		}
	}
	// A caller who left does not wait for what upstream makes.
	time.Sleep(2 * time.Second)
	r := wireResult{billed: u.billed(), made: w.cost(u.made), passed: u.passed, log: g.log.String()}
	r.counted = g.close().Account.Used
	task := w.price().Task
	if w.protocol == wireBatch {
		r.reserved = g.config.Estimator.Estimate(g.config.Estimator.Resolve(w.price().Name),
			workload.Request{Task: task, PromptBytes: int64(len(body)), MaxTokens: int64(w.output + w.dearer)}).Neurons
	} else {
		r.reserved = g.estimateOf(strings.TrimPrefix(w.route(), "/"), w.price().Name, body)
	}
	r.reserved *= quota.Neurons(max(u.runs, 1))
	return r
}

// route is the key of the path in the routes.
func (w wire) route() string {
	switch w.protocol {
	case wireChat:
		return "v1/chat/completions"
	case wireResponses:
		return "v1/responses"
	case wireMessages:
		return "v1/messages"
	case wireEmbeddings:
		return "v1/embeddings"
	}
	return "run/"
}

// request returns the call.
func (w wire) request() (path, body string) {
	prompt, limit, model := wireText(w.prompt), w.output+w.dearer, w.price().Name
	switch w.protocol {
	case wireChat:
		body = fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model,
			limit, w.stream, prompt)
	case wireResponses:
		body = fmt.Sprintf(`{"model":%q,"max_output_tokens":%d,"stream":%t,"input":%q}`, model, limit, w.stream, prompt)
	case wireMessages:
		body = fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model,
			limit, w.stream, prompt)
	case wireEmbeddings:
		body = fmt.Sprintf(`{"model":%q,"input":%q}`, model, prompt)
	case wireBatch:
		body = fmt.Sprintf(`{"requests":[{"prompt":%q,"max_tokens":%d}]}`, prompt, limit)
		return "/run/" + model + "?queueRequest=true", body
	default:
		body = fmt.Sprintf(`{"max_tokens":%d,"stream":%t,"prompt":%q}`, limit, w.stream, prompt)
		return "/run/" + model, body
	}
	return "/" + w.route(), body
}

// wireWords are words of one token each, with the blank before it, in every tokenizer that is in use.
var wireWords = strings.Fields("the water house of people which number and when every little world from other always " +
	"because 7 line great where through I work year")

// wireText is a text of so many tokens.
func wireText(tokens int) string {
	var b strings.Builder
	for i := range tokens {
		b.WriteByte(' ')
		b.WriteString(wireWords[i*7%len(wireWords)])
	}
	return b.String()
}
