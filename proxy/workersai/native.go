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
	Response string `json:"response"`
	Padding  string `json:"p,omitempty"`
	Usage    *usage `json:"usage,omitempty"`
}

// native answers POST run for a text model: older ones with result.response,
// newer ones with OpenAI's choices.
func (x *exchange) native() *failure {
	p, f := x.readPrompt()
	if f != nil {
		return f
	}
	r := x.think(p)
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
	result := nativeResult{Response: r.text(), ToolCalls: []nativeTool{}, Usage: x.usage}
	switch {
	case r.tool != "":
		result.Response = nil
		result.ToolCalls = []nativeTool{{Name: r.tool, Arguments: json.RawMessage("{}")}}
	case r.prompt.json && json.Valid([]byte(r.text())):
		result.Response = json.RawMessage(r.text())
	}
	return result
}

// streamNative is the stream of an older model: its last event before [DONE]
// has the usage of the whole.
func (x *exchange) streamNative(r reply) {
	x.spendTokens(r.prompt.tokens, r.prompt.cached, 0)
	st := x.openStream()
	for i, piece := range r.pieces {
		x.spendTokens(r.prompt.tokens, r.prompt.cached, int64(i+1))
		if !st.event("", nativeEvent{Response: piece, Padding: x.padding(i)}) {
			return
		}
	}
	if st.event("", nativeEvent{Usage: &x.usage}) {
		st.done()
	}
}
