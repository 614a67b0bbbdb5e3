package workersai

import (
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"

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
	pieces []string // its tokens
	finish string   // "stop", "length" or "tool_calls"
	tool   string   // name of the tool that is called instead of saying anything
	prompt *prompt
}

func (r reply) text() string { return strings.Join(r.pieces, "") }

// think makes up the reply to p. The same request has the same reply.
func (x *exchange) think(p *prompt) reply {
	r := reply{finish: "stop", prompt: p}
	if p.tool != "" {
		r.tool, r.finish = p.tool, "tool_calls"
		r.pieces = split("{}", -1)
		x.reply = r
		return r
	}
	said := x.sentence(p)
	if p.json {
		said = string(compact(struct {
			Simulated bool   `json:"simulated"`
			Answer    string `json:"answer"`
		}{true, said}))
	}
	if want := x.directive.tokens; want > 0 {
		said = lengthen(said, want)
	}
	limit := p.limit
	if x.differs(differLimit) {
		limit = math.MaxInt64
	}
	r.pieces = split(said, int(min(limit, 1<<30)))
	if len(strings.Join(r.pieces, "")) < len(said) {
		r.finish = "length"
	}
	x.reply = r
	return r
}

var closings = []string{
	"No model ran: the words are made up, the tokens are counted and priced by the table.",
	"The same call to Cloudflare has an answer of this form, with better words.",
	"The same question has the same answer, whoever asks and however often.",
	"The request header x-simulate makes this call fail in the way it names.",
}

// sentence is the text that answers p.
func (x *exchange) sentence(p *prompt) string {
	asked := strings.Join(strings.Fields(clip(p.last, 400)), " ")
	closing := closings[x.hash(p.last)%uint64(len(closings))]
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
	x.wait(x.perToken() * time.Duration(len(r.pieces)))
	x.spendTokens(r.prompt.tokens, r.prompt.cached, int64(len(r.pieces)))
}

// audioNeurons is the price of seconds of audio.
func (x *exchange) audioNeurons(seconds float64) quota.Neurons {
	return quota.FromFloat(x.model.price.AudioMinute * seconds / 60)
}

// toolID is the id of the one tool call of an answer.
func (x *exchange) toolID() string {
	return "chatcmpl-tool-" + strconv.FormatUint(x.hash(x.id), 16)
}
