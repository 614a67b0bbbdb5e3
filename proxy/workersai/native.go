package workersai

import (
	"encoding/json"

	"github.com/neuronward/neuronward/quota/workload"
)

// infer answers a call that reaches x.model.
func (x *exchange) infer() *failure {
	if x.queued() {
		return x.queue()
	}
	var f *failure
	if x.streams, f = x.in.flag("stream"); f != nil {
		return f
	}
	if x.model.task != workload.TextGeneration {
		x.streams = false
	}
	if !x.streams && x.directive.stream != breakNone && x.directive.stream != breakCut &&
		x.directive.stream != breakHalf {
		return refuseText(5006, "x-simulate: %s is for streams; set \"stream\": true", x.directive.raw)
	}
	x.wait(x.directive.latency)
	switch x.route.surface {
	case surfaceChat:
		return x.textOnly(x.chat)
	case surfaceResponses:
		return x.textOnly(x.responses)
	case surfaceMessages:
		return x.textOnly(x.messages)
	case surfaceEmbedding:
		return x.openAIEmbeddings()
	}
	switch x.model.task {
	case workload.TextGeneration:
		return x.native()
	case workload.TextEmbeddings:
		return x.embeddings()
	}
	return x.perform()
}

// textOnly refuses models that are no text models on the paths of chat protocols.
func (x *exchange) textOnly(answer func() *failure) *failure {
	if x.model.task != workload.TextGeneration {
		return refuseText(5007, "No such model: No such model %s or task", x.model.name)
	}
	return answer()
}

type nativeResult struct {
	Response  any          `json:"response"`
	ToolCalls []nativeTool `json:"tool_calls"`
	Usage     usage        `json:"usage"`
}

type nativeTool struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

type nativeEvent struct {
	Response string     `json:"response"`
	Tools    []chatTool `json:"tool_calls,omitempty"`
	Padding  string     `json:"p,omitempty"`
	Usage    *usage     `json:"usage,omitempty"`
}

// native answers POST run for a text model: older ones with result.response,
// newer ones with OpenAI's choices.
func (x *exchange) native() *failure {
	r, f := x.ask()
	if f != nil {
		return f
	}
	if x.streams {
		if x.model.newer() {
			x.streamChat(r)
		} else {
			x.streamNative(r)
		}
		return nil
	}
	return x.answer(wrap(x.nativeResult(r)))
}

// nativeResult bills r and returns it as the result of a native call.
func (x *exchange) nativeResult(r reply) any {
	x.billText(r)
	if x.model.newer() {
		return x.completion(r)
	}
	said := r.choices[0]
	text, spoken := said.text(formText)
	result := nativeResult{Response: text, ToolCalls: nativeTools(said.calls()), Usage: x.usage}
	switch {
	case !spoken:
		result.Response = nil
	case r.prompt.json && json.Valid([]byte(text)):
		result.Response = json.RawMessage(text)
	}
	return result
}

func nativeTools(calls []passage) []nativeTool {
	tools := make([]nativeTool, len(calls))
	for i, c := range calls {
		tools[i] = nativeTool{Name: c.tool, Arguments: c.object()}
	}
	return tools
}

// streamNative is the stream of an older model: its last event before [DONE]
// has the usage of the whole. Calls of tools come in pieces, as in OpenAI's chunks.
func (x *exchange) streamNative(r reply) {
	x.spendTokens(r.prompt.tokens, r.prompt.cached, 0)
	st := x.openStream()
	made := int64(0)
	for _, s := range x.chatSteps(r.choices[0]) {
		e := nativeEvent{Tools: s.delta.ToolCalls}
		if s.delta.Content != nil {
			e.Response = *s.delta.Content
		}
		if e.Response == "" && e.Tools == nil { // what begins and ends OpenAI's answers
			continue
		}
		e.Padding = x.padding(int(made))
		made += s.tokens
		x.spendTokens(r.prompt.tokens, r.prompt.cached, made)
		if !st.event("", e) {
			return
		}
	}
	if st.event("", nativeEvent{Usage: &x.usage}) {
		st.done()
	}
}
