package guard

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	llama   = "@cf/meta/llama-3.1-8b-instruct-fp8"
	alias   = "@cf/moonshotai/kimi-k2.5" // of kimi-k2.6
	picture = "@cf/black-forest-labs/flux-1-schnell"
	unknown = "@cf/new/model"
	small   = "@cf/meta/llama-2-7b-chat-fp16"
)

// recorder keeps what was counted.
type recorder struct {
	preempted []string
	spent     []quota.Neurons
	tokens    map[string]int64
	ratios    int
}

func (r *recorder) Preempted(reason, mode, _, _ string) {
	r.preempted = append(r.preempted, reason+" "+mode)
}

func (r *recorder) Spent(_, _, _ string, neurons float64) {
	r.spent = append(r.spent, quota.FromFloat(neurons))
}

func (r *recorder) EstimateRatio(string, float64) { r.ratios++ }

func (r *recorder) Tokens(_, kind string, n int64) {
	if r.tokens == nil {
		r.tokens = map[string]int64{}
	}
	r.tokens[kind] += n
}

// newGuard returns a guard over a ledger in memory.
func newGuard(t *testing.T, o Options) (*Guard, *recorder) {
	t.Helper()
	ledger, err := quota.New(t.Context(), quota.Options{
		Store: memstore.New(nil), Limit: 1_000_000 * quota.OneNeuron, Heartbeat: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close(context.Background()) })
	r := &recorder{}
	o.Ledger, o.Estimator, o.Recorder = ledger, price.NewEstimator(nil, price.Bound), r
	return New(o), r
}

// callOf is a call of a model with a prompt of 300 bytes and an answer of 1,000 tokens or one picture at most.
func callOf(g *Guard, model string) *Call {
	m := g.o.Estimator.Resolve(model)
	r := workload.Request{Task: m.Task, PromptBytes: 300, PromptTokens: 100, MaxTokens: 1000}
	if m.Task == workload.TextToImage {
		r.MakeImages, r.Width, r.Height, r.Steps = 1, 1024, 1024, 4
	}
	return &Call{Model: &m, ModelText: model, Label: model, Client: "anonymous", Request: r}
}

// What a call costs, and by whose figure: each row of the table, and each figure of it.
func TestVerdicts(t *testing.T) {
	fail := func(code normalize.Code, origin normalize.Origin) *normalize.Failure {
		return &normalize.Failure{Code: code, Origin: origin}
	}
	const (
		body   = `{"result":{"response":"Hi","usage":{"neurons":1.5}}}`
		counts = `{"usage":{"prompt_tokens":100,"completion_tokens":20}}`
		silent = `{"result":{"response":"Hi"}}`
		batch  = `{"result":{"status":"queued","request_id":"8f0c"}}`
	)
	var (
		text     = `data: {"response":"one two"}` + "\n\n"
		told     = `data: {"response":"one","usage":{"neurons":0.5}}` + "\n\n"
		done     = Outcome{Sent: true, Answered: true, Complete: true}
		streamed = Outcome{Sent: true, Answered: true, Complete: true, Stream: true, Streaming: true}
		sent     = Outcome{Sent: true}
		left     = Outcome{Sent: true, Answered: true}
		leftEarl = Outcome{Sent: true, Stream: true}
		leftLate = Outcome{Sent: true, Answered: true, Stream: true, Streaming: true}
	)
	with := func(o Outcome, change func(*Outcome)) Outcome {
		change(&o)
		return o
	}
	failing := func(o Outcome, code normalize.Code, origin normalize.Origin) Outcome {
		o.Complete, o.Failure = false, fail(code, origin)
		return o
	}
	header := func(o Outcome, neurons string) Outcome {
		o.HeaderNeurons = neurons
		return o
	}
	all := func(ch *Charge) quota.Neurons { return ch.reservation.Neurons() }
	exactly := func(neurons float64) func(*Charge) quota.Neurons {
		return func(*Charge) quota.Neurons { return quota.FromFloat(neurons) }
	}
	ofTokens := func(in, out int64) func(*Charge) quota.Neurons {
		return func(ch *Charge) quota.Neurons { return ch.call.Model.Tokens(in, 0, out) }
	}
	made := func(neurons float64) func(*Charge) quota.Neurons {
		return func(ch *Charge) quota.Neurons {
			return quota.FromFloat(neurons).Add(ch.call.Model.Tokens(0, 0, usualSpeed))
		}
	}
	said, hi := tokens.Count([]byte("one two")), tokens.Count([]byte("Hi"))
	upstream, own := normalize.OriginUpstream, normalize.OriginProxy

	for _, c := range []struct {
		name      string
		situation string // the row that decides
		model     string // "" is llama
		call      func(*Call)
		o         Options
		answer    string // JSON
		event     string // or one event of a stream
		outcome   Outcome
		because   Because
		basis     quota.Basis
		want      func(*Charge) quota.Neurons
	}{
		{
			name: "never written", situation: "not sent",
			outcome: failing(Outcome{}, normalize.UpstreamUnreachable, own),
			because: Free, want: exactly(0),
		},
		{
			name: "a hit of the gateway's cache", situation: "answered from a cache", answer: body,
			outcome: with(done, func(o *Outcome) { o.Cached = true }), because: Free, want: exactly(0),
		},

		{
			name: "a batch", situation: "batch accepted, not run yet", answer: batch, outcome: done,
			because: Reservation, basis: quota.Estimated, want: all,
		},

		{
			name: "a stream that reports neurons", situation: "stream completed", event: told, outcome: streamed,
			because: Usage, want: exactly(0.5),
		},
		{
			name: "a stream with a header", situation: "stream completed", event: text,
			outcome: header(streamed, "2.5"),
			because: Header, want: exactly(2.505),
		},
		{
			name: "a stream with a header below what passed", situation: "stream completed", event: text,
			outcome: header(streamed, "0.05"),
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said),
		},
		{
			name: "a stream that reports zeros", situation: "stream completed",
			event: `data: {"response":"one two","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}` +
				"\n\n",
			outcome: streamed, because: Observed, basis: quota.Estimated, want: ofTokens(100, said),
		},
		{
			name: "a stream that reports nothing", situation: "stream completed", event: text, outcome: streamed,
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said),
		},
		{
			name: "a stream of an alias", situation: "stream completed", model: alias, event: text, outcome: streamed,
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said),
		},
		{
			name: "a stream of an unknown model", situation: "stream completed", model: unknown, event: text,
			outcome: streamed,
			because: Reservation, basis: quota.Estimated, want: all,
		},

		{
			name: "neurons in the body", situation: "completed", answer: body, outcome: header(done, "9.99"),
			because: Usage, want: exactly(1.5),
		},
		{
			name: "neurons in the header", situation: "completed", answer: counts, outcome: header(done, "3.01"),
			because: Header, want: exactly(3.015),
		},
		{
			name: "neurons in the header below the tokens' price", situation: "completed", answer: counts,
			outcome: header(done, "0.05"),
			because: Tokens, basis: quota.Priced, want: ofTokens(100, 20),
		},
		{
			name: "no figure in the header", situation: "completed", answer: counts, outcome: header(done, "NaN"),
			because: Tokens, basis: quota.Priced, want: ofTokens(100, 20),
		},
		{
			name: "more than a call can cost", situation: "completed", answer: counts, outcome: header(done, "1e300"),
			because: Tokens, basis: quota.Priced, want: ofTokens(100, 20),
		},
		{
			name: "tokens", situation: "completed", answer: counts, outcome: header(done, "0.00"),
			because: Tokens, basis: quota.Priced, want: ofTokens(100, 20),
		},
		{
			name: "nothing but a header of zero", situation: "completed", answer: silent, outcome: header(done, "0.00"),
			because: Observed, basis: quota.Estimated, want: ofTokens(100, hi),
		},
		{
			name: "a header of zero of an unknown model", situation: "completed", model: unknown, answer: silent,
			outcome: header(done, "0.00"), because: Header, want: exactly(0.005),
		},
		{
			name: "a header of zero before a stream of an unknown model", situation: "stream completed",
			model: unknown, event: text, outcome: header(streamed, "0.00"),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "tokens of an unknown model", situation: "completed", model: unknown, answer: counts, outcome: done,
			because: Tokens, basis: quota.Priced, want: func(ch *Charge) quota.Neurons {
				u := workload.Usage{HasTokens: true, Input: 100, Output: 20}
				cost, _ := ch.guard.o.Estimator.Cost(*ch.call.Model, u)
				return cost.Neurons
			},
		},
		{
			name: "zeros", situation: "completed",
			answer:  `{"result":{"response":"Hi","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}}`,
			outcome: done, because: Observed, basis: quota.Estimated, want: ofTokens(100, hi),
		},
		{
			name: "zeros and a header", situation: "completed",
			answer:  `{"result":{"response":"Hi","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}}}`,
			outcome: header(done, "5.50"), because: Header, want: exactly(5.505),
		},
		{
			name: "a header below a quarter of the text", situation: "completed",
			answer:  `{"result":{"response":"` + strings.Repeat("word ", 100) + `"}}`,
			outcome: header(done, "0.05"), because: Observed, basis: quota.Estimated,
			want: ofTokens(100, tokens.Count([]byte(strings.Repeat("word ", 100)))),
		},
		{
			name: "neurons of the prompt alone", situation: "completed",
			answer:  `{"result":{"response":"Hi","usage":{"prompt_tokens":100,"neurons":1.5}}}`,
			outcome: done, because: Usage,
			want: func(ch *Charge) quota.Neurons {
				return quota.FromFloat(1.5).Add(ch.call.Model.Tokens(0, 0, hi))
			},
		},
		{
			name: "the prompt's tokens alone", situation: "completed",
			answer:  `{"result":{"response":"Hi","usage":{"prompt_tokens":100}}}`,
			outcome: done, because: Tokens, basis: quota.Priced, want: ofTokens(100, hi),
		},
		{
			name: "text alone", situation: "completed", answer: silent, outcome: done,
			because: Observed, basis: quota.Estimated, want: ofTokens(100, hi),
		},
		{
			name: "text alone, of a model with a small vocabulary", situation: "completed", model: small,
			answer: silent, outcome: done,
			because: Observed, basis: quota.Estimated, want: ofTokens(300, 2*hi),
		},
		{
			name: "a tool call that is an object", situation: "completed", outcome: done,
			answer:  `{"result":{"tool_calls":[{"name":"f","arguments":{"a":1}}]}}`,
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "JSON that is cut", situation: "completed", answer: `{"result":{"response":"Hi`, outcome: done,
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "nothing", situation: "completed", outcome: done,
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "a picture", situation: "completed", model: picture, answer: `{"result":{"image":"/9j/"}}`,
			outcome: header(done, "0.00"),
			because: Tokens, basis: quota.Priced, want: all,
		},

		{
			name: "a caller who left a stream", situation: "cut off, charged in full as configured",
			o:     Options{Aborted: Estimate},
			event: told, outcome: leftLate, because: Reservation, basis: quota.Estimated, want: all,
		},

		{
			name: "a caller who left a stream that reports", situation: "stream cut off", event: told,
			outcome: leftLate,
			because: Usage, want: made(0.5),
		},
		{
			name: "a caller who left a silent stream", situation: "stream cut off", event: text, outcome: leftLate,
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said+usualSpeed),
		},
		{
			name: "a prompt whose tokens nobody counts", situation: "stream cut off",
			call: func(c *Call) { c.Request.PromptTokens = 0 }, event: text, outcome: leftLate,
			because: Observed, basis: quota.Estimated, want: ofTokens(300, said+usualSpeed),
		},
		{
			name: "a caller who left before the stream", situation: "stream cut off", outcome: leftEarl,
			because: Observed, basis: quota.Estimated, want: ofTokens(100, usualSpeed),
		},
		{
			name: "shutdown in a stream", situation: "stream cut off", event: told,
			outcome: failing(leftLate, normalize.ShuttingDown,
				normalize.OriginGuard), because: Usage, want: made(0.5),
		},

		{
			name: "a caller who left", situation: "cancelled", answer: body, outcome: left, because: Usage,
			want: exactly(1.5),
		},
		{
			name: "a caller who left after the headers", situation: "cancelled", outcome: header(left, "1.00"),
			because: Header, want: exactly(1.005),
		},
		{
			name: "a caller who left before anything", situation: "cancelled", outcome: Outcome{Sent: true},
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "a picture asked for as a stream", situation: "cancelled", model: picture, outcome: leftEarl,
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "a batch asked for as a stream", situation: "cancelled", call: func(c *Call) { c.Batch = true },
			outcome: leftEarl,
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "aborted from here", situation: "cancelled", outcome: failing(left, normalize.Aborted, own),
			because: Reservation, basis: quota.Estimated, want: all,
		},

		{
			name: "a time limit in a stream", situation: "stream cut off", event: told,
			outcome: failing(leftLate, normalize.Timeout, own), because: Usage, want: made(0.5),
		},
		{
			name: "a connection lost in a stream", situation: "stream cut off", event: text,
			outcome: failing(leftLate, normalize.StreamInterrupted, own),
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said+usualSpeed),
		},
		{
			name: "a connection lost in a stream, charged by what came", situation: "stream cut off", event: text,
			o:       Options{Aborted: Seen},
			outcome: failing(leftLate, normalize.StreamInterrupted, own),
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said+sentTokens),
		},
		{
			name: "a connection lost in a stream, charged in full", situation: "cut off, charged in full as configured",
			event: text, o: Options{Aborted: Estimate},
			outcome: failing(leftLate, normalize.StreamInterrupted, own),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "a connection lost before a stream", situation: "failed, may have run",
			outcome: failing(Outcome{Sent: true, Answered: true, Stream: true}, normalize.StreamInterrupted, own),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "aborted, says upstream", situation: "failed, may have run", answer: body,

			outcome: failing(left, normalize.Aborted, upstream),
			because: Reservation, basis: quota.Estimated, want: all,
		},

		{
			name: "a failure in a stream that reports", situation: "stream failed", event: told,
			outcome: failing(leftLate, normalize.OutOfCapacity, upstream), because: Usage, want: exactly(0.5),
		},
		{
			name: "a failure in a silent stream", situation: "stream failed", event: text,
			outcome: failing(leftLate, normalize.OutOfCapacity, upstream),
			because: Observed, basis: quota.Estimated, want: ofTokens(100, said),
		},

		{
			name: "a failure inside 200 that reports", situation: "failed after a success", answer: body,
			outcome: failing(left, normalize.UpstreamInternalError, upstream), because: Usage, want: exactly(1.5),
		},
		{
			name: "a failure inside 200 that reports nothing", situation: "failed after a success",
			outcome: failing(left, normalize.UpstreamInternalError, upstream),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "a failure inside 200 with a header", situation: "failed after a success",
			outcome: header(failing(left, normalize.UpstreamInternalError, upstream), "0.25"),
			because: Header, want: exactly(0.255),
		},
		{
			name: "a failure in place of a stream, with a header", situation: "failed after a success",
			outcome: with(header(failing(left, normalize.UpstreamInternalError, upstream), "0.25"), func(o *Outcome) {
				o.Stream = true
			}),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "status 520", situation: "failed for an unknown reason",
			outcome: with(failing(sent, normalize.UpstreamUnavailable, upstream), func(o *Outcome) {
				o.Failure.Upstream = &normalize.Upstream{Status: 520}
			}),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "an unknown 4xx", situation: "failed for an unknown reason",
			outcome: with(failing(sent, normalize.Unclassified, upstream), func(o *Outcome) {
				o.Failure.Upstream = &normalize.Upstream{Status: 418}
			}),
			because: Reservation, basis: quota.Estimated, want: all,
		},
		{
			name: "an unknown 5xx", situation: "failed, charged what is reported",
			outcome: with(failing(sent, normalize.Unclassified, upstream), func(o *Outcome) {
				o.Failure.Upstream = &normalize.Upstream{Status: 503}
			}),
			because: Free, want: exactly(0),
		},
		{
			name: "a failure that reports", situation: "failed, charged what is reported", answer: body,
			outcome: failing(sent, normalize.UpstreamInternalError, upstream), because: Usage, want: exactly(1.5),
		},
		{
			name: "a failure with a header", situation: "failed, charged what is reported",
			outcome: header(failing(sent, normalize.UpstreamInternalError, upstream),
				"0.25"), because: Header, want: exactly(0.255),
		},
		{
			name: "a failure that reports nothing", situation: "failed, charged what is reported",
			outcome: failing(sent, normalize.UpstreamInternalError, upstream), because: Free, want: exactly(0),
		},

		{
			name: "refused", situation: "failed", answer: body,
			outcome: failing(left, normalize.OutOfCapacity, upstream),
			because: Free, want: exactly(0),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, _ := newGuard(t, c.o)
			model := c.model
			if model == "" {
				model = llama
			}
			call := callOf(g, model)
			if c.call != nil {
				c.call(call)
			}
			ch, err := g.Reserve(t.Context(), call)
			if err != nil {
				t.Fatal(err)
			}
			defer ch.Release()
			if c.answer != "" {
				ch.Meter().Write([]byte(c.answer))
			}
			if c.event != "" {
				ch.Meter().Data(sse.Parse([]byte(c.event)).Data)
				ch.Meter().EndEvent()
			}
			if got := situation(ch, c.outcome); got != c.situation {
				t.Errorf("got the row %q, want %q", got, c.situation)
			}
			cost, because := ch.verdict(c.outcome)
			if want := c.want(ch); cost.Neurons != want {
				t.Errorf("got a cost of %v, want %v", cost.Neurons.Float(), want.Float())
			}
			if because != c.because {
				t.Errorf("got because %q, want %q", because, c.because)
			}
			if cost.Basis != c.basis {
				t.Errorf("got basis %v, want %v", cost.Basis, c.basis)
			}
		})
	}
}

// situation is the row of the table that decides.
func situation(ch *Charge, o Outcome) string {
	e := evidence{Outcome: o, charge: ch, report: ch.meter.Report()}
	for _, v := range verdicts {
		if v.applies(&e) {
			return v.situation
		}
	}
	return ""
}

// Whatever an entry of the catalog charges, a row has an answer, and each row ends in a figure that is always known.
func TestVerdictsLeaveNothingOut(t *testing.T) {
	g, _ := newGuard(t, Options{})
	ch, err := g.Reserve(t.Context(), callOf(g, unknown))
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Release()
	for _, e := range normalize.Catalog() {
		for _, origin := range e.Origins {
			for _, streaming := range []bool{false, true} {
				o := Outcome{
					Sent: true, Streaming: streaming,
					Failure: &normalize.Failure{Code: e.Code, Origin: origin},
				}
				if got := situation(ch, o); got == "" {
					t.Errorf("%s from %s, streaming %v: got no row, want one that applies", e.Slug, origin, streaming)
				}
			}
		}
	}
	for _, v := range verdicts {
		last := v.figures[len(v.figures)-1]
		if _, because, known := last(&evidence{charge: ch}); !known {
			t.Errorf("%s: got %s as the last figure, want one that is always known", v.situation, because)
		}
	}
}

// A call is settled by the prices that held when it was reserved, even if the table was replaced since.
func TestTheTableIsReplacedWhileACallIsUnderWay(t *testing.T) {
	g, _ := newGuard(t, Options{})
	call := callOf(g, llama)
	ch, err := g.Reserve(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	row := call.Model.Row
	row.InputPerM, row.OutputPerM = 10*row.InputPerM, 10*row.OutputPerM
	dearer, _ := price.Embedded().WithCatalog("2026-11-22",
		[]price.CatalogPrice{{Model: llama, Row: row, Priced: true}})
	g.o.Estimator.SetTable(dearer)
	if now := g.o.Estimator.Resolve(llama); now.InputPerM != row.InputPerM {
		t.Fatalf("got %v neurons per million tokens in the new table, want %v", now.InputPerM, row.InputPerM)
	}
	ch.Meter().Write([]byte(`{"usage":{"prompt_tokens":100,"completion_tokens":20}}`))
	got := ch.Settle(Outcome{Sent: true, Answered: true, Complete: true})
	if want := call.Model.Tokens(100, 0, 20); got.Neurons != want {
		t.Errorf("got %v, want %v", got.Neurons.Float(), want.Float())
	}
}
