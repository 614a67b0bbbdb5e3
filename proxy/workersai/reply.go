package workersai

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai/schema"
	"github.com/neuronward/neuronward/quota"
)

// usage is what a call's tokens come to, as Workers AI writes it.
type usage struct {
	Prompt     int64        `json:"prompt_tokens"`
	Completion int64        `json:"completion_tokens"`
	Total      int64        `json:"total_tokens"`
	Details    usageDetails `json:"prompt_tokens_details"`
	Neurons    float64      `json:"neurons"`
}

type usageDetails struct {
	Cached int64 `json:"cached_tokens"`
}

// usageOf returns the usage of tokens at the price of x's model.
func (x *exchange) usageOf(input, cached, output int64) usage {
	n := x.model.price.Tokens(input, cached, output)
	return usage{
		Prompt: input, Completion: output, Total: input + output,
		Details: usageDetails{Cached: cached}, Neurons: n.Float(),
	}
}

// spendTokens bills the tokens so far.
func (x *exchange) spendTokens(input, cached, output int64) {
	x.usage = x.usageOf(input, cached, output)
	x.spend(x.model.price.Tokens(input, cached, output))
}

// reply is what the simulated model says.
type reply struct {
	choices []said // as many as were asked for
	prompt  *prompt
}

// said is one answer.
type said struct {
	parts  []passage
	finish string // "stop", "length" or "tool_calls"
}

// form is what a part of an answer is.
type form uint8

const (
	formText form = iota
	formReasoning
	formCall
)

// passage is a part of an answer in one form.
type passage struct {
	form   form
	tool   string   // that formCall calls
	id     string   // of the call
	pieces []string // its tokens
}

func (p passage) text() string { return strings.Join(p.pieces, "") }

// object returns the arguments of a call, {} where they were cut.
func (p passage) object() json.RawMessage {
	if text := p.text(); json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return json.RawMessage("{}")
}

// text returns the parts of one form.
func (s said) text(f form) (text string, ok bool) {
	for _, p := range s.parts {
		if p.form == f {
			text, ok = text+p.text(), true
		}
	}
	return text, ok
}

// calls returns the calls of tools.
func (s said) calls() []passage {
	var all []passage
	for _, p := range s.parts {
		if p.form == formCall {
			all = append(all, p)
		}
	}
	return all
}

// tokens returns how many tokens all of it has, in a form or, without forms, in any.
func (r reply) tokens(forms ...form) int64 {
	n := 0
	for _, s := range r.choices {
		for _, p := range s.parts {
			if len(forms) == 0 || slices.Contains(forms, p.form) {
				n += len(p.pieces)
			}
		}
	}
	return int64(n)
}

// think makes up the reply to p. The same request has the same reply.
func (x *exchange) think(p *prompt) (reply, *failure) {
	r := reply{prompt: p}
	for i := range p.choices {
		s, f := x.say(p, i)
		if f != nil {
			return reply{}, f
		}
		r.choices = append(r.choices, s)
	}
	x.reply = r
	return r, nil
}

// say makes up one of the answers to p.
func (x *exchange) say(p *prompt, i int) (said, *failure) {
	s := said{finish: "stop"}
	left := int(min(p.limit, 1<<30))
	if x.differs(differLimit) {
		left = 1 << 30
	}
	add := func(p passage, text string) {
		p.pieces = split(text, left)
		if left -= len(p.pieces); len(p.text()) < len(text) {
			s.finish = "length"
		}
		if len(p.pieces) > 0 || p.form != formText || len(s.parts) == 0 {
			s.parts = append(s.parts, p)
		}
	}
	text, calls, f := x.content(p, i)
	if f != nil {
		return said{}, f
	}
	if p.reasons {
		add(passage{form: formReasoning}, "The caller asks for "+wantedForm(p)+". Simulated reasoning ends here.")
	}
	if len(calls) == 0 {
		add(passage{form: formText}, text)
		return s, nil
	}
	s.finish = "tool_calls"
	for k, c := range calls {
		add(passage{form: formCall, tool: c.Name, id: x.toolID(i*maxCalls + k)}, c.Arguments)
	}
	return s, nil
}

func wantedForm(p *prompt) string {
	switch {
	case len(p.calls) > 0:
		return "a tool"
	case p.json:
		return "JSON"
	}
	return "text"
}

// content is what answer i to p says, or the calls that it makes instead.
func (x *exchange) content(p *prompt, i int) (string, []ToolCall, *failure) {
	if a := x.scripted; a.Text != "" || len(a.Tools) > 0 {
		return a.Text, a.Tools, nil
	}
	var calls []ToolCall
	for k, t := range p.calls {
		value, f := x.value(t.schema, fmt.Sprint(p.last, "\x00", t.name, i, k))
		if f != nil {
			return "", nil, f
		}
		calls = append(calls, ToolCall{t.name, string(value)})
	}
	said := x.sentence(p, i)
	switch {
	case len(calls) > 0:
		return "", calls, nil
	case x.directive.say != nil:
		said = *x.directive.say
	case p.schema != nil:
		value, f := x.value(p.schema, fmt.Sprint(p.last, "\x00", i))
		if f != nil {
			return "", nil, f
		}
		said = string(value)
	case p.json:
		said = string(compact(struct {
			Simulated bool   `json:"simulated"`
			Answer    string `json:"answer"`
		}{true, said}))
	}
	if want := x.directive.tokens; want > 0 {
		said = lengthen(said, want)
	}
	return said, nil, nil
}

// value makes a value that satisfies a JSON Schema; none is that of a tool without arguments.
func (x *exchange) value(of json.RawMessage, about string) (json.RawMessage, *failure) {
	if text := strings.TrimSpace(string(of)); text == "" || text == "null" || text == "{}" {
		return json.RawMessage("{}"), nil
	}
	s, err := schema.Compile(of)
	if err == nil {
		var v json.RawMessage
		if v, err = s.Value(x.hash(about)); err == nil {
			return v, nil
		}
	}
	return nil, refuseText(5024, "JSON Mode couldn't be met: %v", strings.Join(strings.Fields(err.Error()), " "))
}

var closings = []string{
	"No model ran: the words are made up, the tokens are counted and priced by the table.",
	"The same call to Cloudflare has an answer of this form, with better words.",
	"The same question has the same answer, whoever asks and however often.",
	"The request header x-simulate makes this call fail in the way it names.",
}

// sentence is the text of answer i to p.
func (x *exchange) sentence(p *prompt, i int) string {
	asked := strings.Join(strings.Fields(clip(p.last, 400)), " ")
	closing := closings[(x.hash(p.last)+uint64(i))%uint64(len(closings))]
	if asked == "" {
		return "This is simulated Workers AI, playing " + x.model.name + ". You asked nothing. " + closing
	}
	return "This is simulated Workers AI, playing " + x.model.name + ". You asked: “" + asked + "” " + closing
}

// hash is a number that depends on the seed, the model and text alone.
func (x *exchange) hash(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(x.model.name + "\x00" + text)) // never fails
	return mix(x.s.o.Seed, h.Sum64())
}

// lengthen repeats or cuts text so that it has exactly n tokens.
func lengthen(text string, n int) string {
	pieces := split(text, -1)
	var b strings.Builder
	for i := range n {
		if i > 0 && i%len(pieces) == 0 {
			b.WriteByte(' ')
		}
		b.WriteString(pieces[i%len(pieces)])
	}
	return b.String()
}

// clip returns at most n bytes of text, with an ellipsis where it was longer.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// padding is the field p of stream events: a length that tells an eavesdropper
// nothing about the token.
func (x *exchange) padding(i int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	return letters[:1+mix(x.hash("p"), uint64(i))%uint64(len(letters))]
}

// answerID is the id of an answer in OpenAI's and Anthropic's protocols.
func (x *exchange) answerID(prefix string) string {
	return prefix + strings.ReplaceAll(x.id, "-", "")[:24]
}

// perToken is how long an output token takes.
func (x *exchange) perToken() time.Duration {
	return x.s.o.Latency + x.directive.slow
}

// billText bills a whole reply, after the time that it takes. A caller who leaves
// in between pays for it all the same.
func (x *exchange) billText(r reply) {
	x.wait(x.perToken() * time.Duration(r.tokens()))
	x.spendTokens(r.prompt.tokens, r.prompt.cached, r.tokens())
}

// audioNeurons is the price of seconds of audio.
func (x *exchange) audioNeurons(seconds float64) quota.Neurons {
	return quota.FromFloat(x.model.price.AudioMinute * seconds / 60)
}

// maxCalls is how many tools one answer may call.
const maxCalls = 16

// toolID is the id of call i of an answer.
func (x *exchange) toolID(i int) string {
	return "chatcmpl-tool-" + strconv.FormatUint(mix(x.hash(x.id), uint64(i)), 16)
}
