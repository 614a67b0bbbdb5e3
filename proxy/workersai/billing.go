package workersai

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// A Billing is what an account is billed in cases of which Cloudflare does not say it. The zero value bills what was
// made, at once.
type Billing struct {
	// Cancelled is what a stream costs whose caller leaves. What is no stream always runs to its end.
	Cancelled Cancelled
	// Failed bills calls of text models that x-simulate makes fail as if they had been answered.
	Failed bool
	// Late is how much later than others the bill of a cancelled or failed call is in the account's own figure.
	Late time.Duration
	// Sample puts only one of so many calls into the account's own figure, for so many, as an adaptive sample does.
	// 0 and 1 put in all of them.
	Sample int
	// Figure is how many times its cost a call is in the account's own figure. 0 is once.
	Figure float64
}

// Cancelled is what a stream costs whose caller leaves.
type Cancelled string

// The ways to bill such a stream. The zero value is CancelledAsMade.
const (
	CancelledAsMade Cancelled = "made"  // what was made until then
	CancelledWhole  Cancelled = "whole" // as if it had gone on to its end
	CancelledHalf   Cancelled = "half"  // half of that
)

// Telling is what the answers of text and embedding models say of their cost.
type Telling string

// What answers can say. The zero value is TellAll.
const (
	TellAll       Telling = ""           // a usage, and a header where it is no stream
	TellZeros     Telling = "zeros"      // a usage and a header of zeros
	TellHeader    Telling = "header"     // a header alone, of streams as well
	TellLowHeader Telling = "low-header" // the same, of 0.05 whatever it costs
	TellPrompt    Telling = "prompt"     // a usage of the prompt's tokens alone
	TellTotal     Telling = "total"      // a usage without neurons whose total is above its parts
	TellNothing   Telling = "nothing"    // neither usage nor header
)

var tellings = []Telling{TellZeros, TellHeader, TellLowHeader, TellPrompt, TellTotal, TellNothing}

// telling is what the answer says of its cost.
func (x *exchange) telling() Telling {
	if x.directive.telling != TellAll {
		return x.directive.telling
	}
	return x.s.o.Telling
}

// header returns cf-ai-neurons, "" where it is not sent.
func (x *exchange) header() string {
	switch x.telling() {
	case TellNothing, TellPrompt, TellTotal:
		return ""
	case TellZeros:
		return "0.00"
	case TellLowHeader:
		return "0.05"
	case TellHeader:
		if x.streams {
			return x.headerCost(x.wholeCost())
		}
	case TellAll:
		switch {
		case x.streams && x.differs(differHeader):
			return x.headerCost(x.wholeCost())
		case x.streams:
			return ""
		}
	}
	return x.headerCost(x.neurons)
}

// usages are those of an answer or an event. Inside a text their quotes would be escaped.
var usages = regexp.MustCompile(`"usage":\{[^{}]*(\{[^{}]*\}[^{}]*)*\}`)

// tell returns an answer or an event as it says what it cost.
func (x *exchange) tell(body []byte) []byte {
	telling, noNeurons := x.telling(), x.differs(differNeurons)
	if telling == TellAll && !noNeurons {
		return body
	}
	return usages.ReplaceAllFunc(body, func(usage []byte) []byte {
		if telling == TellHeader || telling == TellLowHeader || telling == TellNothing {
			return []byte(`"usage":null`)
		}
		var figures map[string]any
		if json.Unmarshal(bytes.TrimPrefix(usage, []byte(`"usage":`)), &figures) != nil {
			return usage
		}
		for name, v := range figures {
			n, isNumber := v.(float64)
			input := strings.HasPrefix(name, "prompt") || strings.HasPrefix(name, "input")
			switch {
			case telling == TellZeros && isNumber:
				figures[name] = 0
			case telling == TellPrompt && !(input && isNumber),
				name == "neurons" && (telling == TellTotal || noNeurons):
				delete(figures, name)
			case telling == TellTotal && isNumber && strings.HasPrefix(name, "completion"):
				figures[name] = int64(n / 2)
			}
		}
		return append([]byte(`"usage":`), compact(figures)...)
	})
}

// billCancelled bills a stream whose caller has left.
func (x *exchange) billCancelled() {
	way := x.s.o.Billing.Cancelled
	if x.directive.cancelled != "" {
		way = x.directive.cancelled
	}
	output := x.reply.tokens()
	switch way {
	case CancelledWhole:
		x.spendTokens(x.reply.prompt.tokens, x.reply.prompt.cached, output)
	case CancelledHalf:
		x.spendTokens(x.reply.prompt.tokens/2, x.reply.prompt.cached/2, output/2)
	case CancelledAsMade:
	}
}

// wholeCost is that of a reply to its end.
func (x *exchange) wholeCost() quota.Neurons {
	p := x.reply.prompt
	return x.model.price.Tokens(p.tokens, p.cached, x.reply.tokens())
}

// billFailed bills a call that is made to fail.
func (x *exchange) billFailed(model string) {
	m, ok := x.s.models[model]
	if !x.s.o.Billing.Failed || !ok {
		return
	}
	x.model = m
	p, f := x.readPrompt()
	if f != nil {
		return
	}
	if r, f := x.think(p); f == nil {
		x.spendTokens(p.tokens, p.cached, r.tokens())
		x.failed = true
	}
}

// figure puts the call into the account's own figure.
func (x *exchange) figure(cancelled bool) {
	b, of := &x.s.o.Billing, sums{x.neurons, x.usage.Prompt, x.usage.Completion, 1}
	if b.Figure != 0 {
		of.neurons = quota.FromFloat(of.neurons.Float() * b.Figure)
	}
	due := x.now
	if cancelled || x.failed {
		due = due.Add(b.Late)
	}
	if n := int64(b.Sample); n > 1 {
		if x.hash(x.id)%uint64(n) != 0 {
			return
		}
		of = sums{of.neurons * quota.Neurons(n), of.input * n, of.output * n, n}
	}
	x.s.spent.add(x.now, due, x.model.name, of)
}
