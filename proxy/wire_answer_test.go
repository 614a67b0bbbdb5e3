package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// wireUpstream answers the calls of a wire and keeps its bill.
type wireUpstream struct {
	wire
	leave func()

	attempts, polls int
	runs            int  // of the model
	made            int  // tokens of the last one's output
	cut             bool // it did not come to its end
	passed          int  // whole events with data that were sent
}

// billed is what the account is billed.
func (u *wireUpstream) billed() quota.Neurons {
	whole, made := u.cost(u.output), u.cost(u.made)
	switch {
	case u.cut && u.bill == billHalf:
		return whole / 2
	case u.cut && u.bill == billWhole:
		return whole
	}
	return made * quota.Neurons(u.runs)
}

func (u *wireUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.attempts++
	if u.failed != "" && u.attempts == 1 {
		u.fail(w)
		return
	}
	switch u.header {
	case headerRight:
		w.Header().Set("Cf-Ai-Neurons", strconv.FormatFloat(u.cost(u.output).Float(), 'f', 2, 64))
	case headerZero:
		w.Header().Set("Cf-Ai-Neurons", "0.00")
	case headerLow:
		w.Header().Set("Cf-Ai-Neurons", "0.05")
	}
	if u.protocol == wireBatch {
		u.batch(w, string(body))
		return
	}
	u.runs++
	if u.streams() {
		w.Header().Set("Content-Type", "text/event-stream")
		u.sendEvents(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := u.answer()
	switch u.end {
	case endFailed:
		answer = `{"success":false,"result":{},"errors":[{"code":3043,"message":"AiError: Internal server error"}]}`
	case endLost, endOrderly:
		_, _ = io.WriteString(w, answer[:u.part(len(answer))])
		w.(http.Flusher).Flush()
		if u.end == endLost {
			panic(http.ErrAbortHandler)
		}
		return
	case endLeft:
		u.leave()
	}
	_, _ = io.WriteString(w, answer)
}

// part is how much of n there is before the end.
func (u *wireUpstream) part(n int) int { return min(int(u.at*float64(n)), n-1) }

// fail answers the attempts that fail without a model.
func (u *wireUpstream) fail(w http.ResponseWriter) {
	if u.failed == "html-502" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><title>502 Bad Gateway</title></html>")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	status := map[string]int{"3040": 429, "3050": 503}[u.failed]
	text := map[string]string{"3040": "Capacity temporarily exceeded.", "3050": "Max retries exhausted"}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"message":"AiError: %s","code":%s}],"success":false,"result":{},"messages":[]}`,
		text[u.failed], u.failed)
}

// batch answers a submission, two polls that find nothing, and the one that finds all.
func (u *wireUpstream) batch(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	if !strings.Contains(body, "request_id") {
		u.runs++
		_, _ = io.WriteString(w, `{"result":{"status":"queued","request_id":"8f0c","model":"m"},"success":true}`)
		return
	}
	u.polls++
	if u.polls <= 2 {
		_, _ = io.WriteString(w, `{"result":{"status":"`+[]string{"queued", "running"}[u.polls-1]+
			`","request_id":"8f0c","usage":{"prompt_tokens":0,"completion_tokens":0,"neurons":0}},"success":true}`)
		return
	}
	answer := `{"result":{"responses":[{"id":0,"result":{"response":` + strconv.Quote(wireText(u.output)) +
		`},"success":true}]` + u.withUsage(u.usageOf(true, u.output)) + `},"success":true}`
	if u.polls == 3 && (u.end == endLost || u.end == endOrderly) {
		_, _ = io.WriteString(w, answer[:u.part(len(answer))])
		w.(http.Flusher).Flush()
		if u.end == endLost {
			panic(http.ErrAbortHandler)
		}
		return
	}
	_, _ = io.WriteString(w, answer)
}

// usageOf is the usage of an output, with the prompt or without it, "" for none.
func (u *wireUpstream) usageOf(input bool, output int) string {
	in, out, total := u.prompt+wireTemplate, "completion_tokens", ""
	inName := "prompt_tokens"
	if u.protocol == wireResponses || u.protocol == wireMessages {
		inName, out = "input_tokens", "output_tokens"
	}
	neurons := u.price().Tokens(int64(in), 0, int64(output)).Float()
	if !input {
		in, neurons = 0, u.price().Tokens(0, 0, int64(output)).Float()
	}
	if u.protocol != wireMessages {
		total = fmt.Sprintf(`,"total_tokens":%d`, in+output)
	}
	tokens := fmt.Sprintf(`%q:%d,%q:%d`, inName, in, out, output)
	switch u.usage {
	case usageBoth:
		return fmt.Sprintf(`{%s%s,"neurons":%v}`, tokens, total, neurons)
	case usageNeurons:
		return fmt.Sprintf(`{"neurons":%v}`, neurons)
	case usageTokens:
		return fmt.Sprintf(`{%s%s}`, tokens, total)
	case usageZeros:
		return fmt.Sprintf(`{%q:0,%q:0,"total_tokens":0,"neurons":0}`, inName, out)
	case usageZeroNeurons:
		return fmt.Sprintf(`{%s%s,"neurons":0}`, tokens, total)
	case usagePrompt:
		return fmt.Sprintf(`{%q:%d}`, inName, in)
	case usageInput:
		return fmt.Sprintf(`{%q:%d,"neurons":%v}`, inName, in, u.price().Tokens(int64(in), 0, 0).Float())
	case usageTotal:
		if total == "" {
			return fmt.Sprintf(`{%s}`, tokens)
		}
		return fmt.Sprintf(`{%q:%d,%q:%d%s}`, inName, in, out, output/2, total)
	}
	return ""
}

// withUsage is a member of that value behind others.
func (u *wireUpstream) withUsage(usage string) string {
	if usage == "" {
		if u.noise {
			return `,"usage":null`
		}
		return ""
	}
	return `,"usage":` + usage
}

// answer is the whole answer that is no stream.
func (u *wireUpstream) answer() string {
	usage := u.withUsage(u.usageOf(true, u.output))
	thought, said := "", wireText(u.output)
	if u.thinks {
		thought, said = wireText(u.output/2), wireText(u.output-u.output/2)
	}
	text := strconv.Quote(said)
	switch u.protocol {
	case wireNative:
		return `{"result":{"response":` + strconv.Quote(wireText(u.output)) + usage +
			`},"success":true,"errors":[],"messages":[]}`
	case wireResponses:
		return `{"object":"response","status":"completed","output":[{"type":"reasoning","summary":[{"text":` +
			strconv.Quote(thought) + `}]},{"type":"message","content":[{"type":"output_text","text":` + text + `}]}]` +
			usage + `}`
	case wireMessages:
		return `{"type":"message","content":[{"type":"thinking","thinking":` + strconv.Quote(thought) +
			`},{"type":"text","text":` + text + `}]` + usage + `}`
	case wireEmbeddings:
		return `{"object":"list","data":[{"object":"embedding","embedding":[0.5,-0.25]}]` + usage + `}`
	}
	return `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":` +
		strconv.Quote(thought) + `,"content":` + text + `},"finish_reason":"stop"}]` + usage + `}`
}

// sendEvents sends the stream and ends it as the wire says.
func (u *wireUpstream) sendEvents(w http.ResponseWriter, r *http.Request) {
	events := u.events()
	size := 0
	for _, e := range events {
		size += len(e.text)
	}
	last := u.part(size)
	if u.end == endWhole {
		last = size
	}
	if u.end == endLeft || u.end == endFailed { // after an event
		last = 0
		for _, e := range events[:1+u.part(len(events))] {
			last += len(e.text)
		}
	}
	u.made = 0
	for _, e := range events {
		time.Sleep(time.Duration(e.tokens) * time.Second / time.Duration(max(u.speed, 1)))
		u.made += e.tokens
		text := e.text[:min(len(e.text), last)]
		last -= len(text)
		_, _ = io.WriteString(w, text)
		w.(http.Flusher).Flush()
		if text == e.text && text[0] != ':' {
			u.passed++
		}
		if last == 0 {
			break
		}
	}
	if u.end == endWhole {
		return
	}
	u.cut = u.end != endFailed
	time.Sleep(time.Millisecond)
	switch u.end {
	case endFailed:
		name := ""
		if u.protocol == wireMessages {
			name = "event: error\n"
		}
		_, _ = io.WriteString(w, name+`data: {"error":{"message":"AiError: Internal server error","code":3043}}`+"\n\n")
	case endLost:
		// A lost connection is noticed late: more was made by then.
		u.goOn()
		panic(http.ErrAbortHandler)
	case endLeft:
		u.leave()
		<-r.Context().Done()
		u.goOn()
	}
}

// goOn makes what a model makes until it notices that nobody listens.
func (u *wireUpstream) goOn() {
	u.made = min(u.output, u.made+int(u.late.Seconds()*float64(u.speed)))
}
