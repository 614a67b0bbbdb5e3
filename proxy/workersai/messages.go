package workersai

import "encoding/json"

// The shapes of Anthropic's messages.

type anthropicMessage struct {
	ID           string           `json:"id"`
	Type         string           `json:"type"`
	Role         string           `json:"role"`
	Model        string           `json:"model"`
	Content      []anthropicBlock `json:"content"`
	StopReason   *string          `json:"stop_reason"`
	StopSequence *string          `json:"stop_sequence"`
	Usage        anthropicUsage   `json:"usage"`
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

type anthropicUsage struct {
	Input   int64   `json:"input_tokens"`
	Cached  int64   `json:"cache_read_input_tokens"`
	Output  int64   `json:"output_tokens"`
	Neurons float64 `json:"neurons"`
}

type anthropicEvent struct {
	Type    string            `json:"type"`
	Message *anthropicMessage `json:"message,omitempty"`
	Index   *int              `json:"index,omitempty"`
	Block   *anthropicBlock   `json:"content_block,omitempty"`
	Delta   any               `json:"delta,omitempty"` // *anthropicDelta or *anthropicStop
	Usage   *anthropicUsage   `json:"usage,omitempty"`
}

type anthropicDelta struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Thinking  string `json:"thinking,omitempty"`
	Signature string `json:"signature,omitempty"`
	Partial   string `json:"partial_json,omitempty"`
}

type anthropicStop struct {
	Reason   string  `json:"stop_reason"`
	Sequence *string `json:"stop_sequence"`
}

// messages answers POST v1/messages.
func (x *exchange) messages() *failure {
	r, f := x.ask()
	if f != nil {
		return f
	}
	if x.streams {
		x.streamMessages(r)
		return nil
	}
	x.billText(r)
	m := x.anthropicMessage()
	for _, part := range r.choices[0].parts {
		m.Content = append(m.Content, anthropicBlockOf(part, part.text(), part.object()))
	}
	reason := stopReason(r.choices[0].finish)
	m.StopReason, m.Usage = &reason, x.anthropicUsage()
	return x.answer(m)
}

// signature stands for what proves that a model's reasoning is its own.
const signature = "simulated"

// anthropicBlockOf is a part of an answer with this text, or this input of a tool.
func anthropicBlockOf(p passage, text string, input json.RawMessage) anthropicBlock {
	switch p.form {
	case formCall:
		return anthropicBlock{Type: "tool_use", ID: p.id, Name: p.tool, Input: input}
	case formReasoning:
		signed := ""
		if text != "" {
			signed = signature
		}
		return anthropicBlock{Type: "thinking", Thinking: &text, Signature: &signed}
	case formText:
	}
	return anthropicBlock{Type: "text", Text: &text}
}

func (x *exchange) anthropicMessage() anthropicMessage {
	return anthropicMessage{
		ID: x.answerID("msg_"), Type: "message", Role: "assistant", Model: x.model.name, Content: []anthropicBlock{},
	}
}

// anthropicUsage is x.usage in Anthropic's words, where cached tokens are none of
// the input tokens.
func (x *exchange) anthropicUsage() anthropicUsage {
	u := x.usage
	return anthropicUsage{
		Input: u.Prompt - u.Details.Cached, Cached: u.Details.Cached, Output: u.Completion,
		Neurons: u.Neurons,
	}
}

func stopReason(finish string) string {
	switch finish {
	case "length":
		return "max_tokens"
	case "tool_calls":
		return "tool_use"
	}
	return "end_turn"
}

// streamMessages is the stream of an Anthropic answer. It ends with message_stop
// and has no [DONE].
func (x *exchange) streamMessages(r reply) {
	in, cached := r.prompt.tokens, r.prompt.cached
	x.spendTokens(in, cached, 0)
	st := x.openStream()
	emit := func(e anthropicEvent) bool { return st.event(e.Type, e) }
	start := x.anthropicMessage()
	start.Usage = x.anthropicUsage()
	if !emit(anthropicEvent{Type: "message_start", Message: &start}) {
		return
	}
	made := int64(0)
	for i, part := range r.choices[0].parts {
		block := anthropicBlockOf(part, "", json.RawMessage("{}"))
		if !emit(anthropicEvent{Type: "content_block_start", Index: &i, Block: &block}) ||
			i == 0 && !st.event("ping", anthropicEvent{Type: "ping"}) {
			return
		}
		for _, piece := range part.pieces {
			d := anthropicDelta{Type: "text_delta", Text: piece}
			switch part.form {
			case formCall:
				d = anthropicDelta{Type: "input_json_delta", Partial: piece}
			case formReasoning:
				d = anthropicDelta{Type: "thinking_delta", Thinking: piece}
			case formText:
			}
			made++
			x.spendTokens(in, cached, made)
			if !emit(anthropicEvent{Type: "content_block_delta", Index: &i, Delta: &d}) {
				return
			}
		}
		if d := (anthropicDelta{Type: "signature_delta", Signature: signature}); part.form == formReasoning &&
			!emit(anthropicEvent{Type: "content_block_delta", Index: &i, Delta: &d}) {
			return
		}
		if !emit(anthropicEvent{Type: "content_block_stop", Index: &i}) {
			return
		}
	}
	stop, total := anthropicStop{Reason: stopReason(r.choices[0].finish)}, x.anthropicUsage()
	if !emit(anthropicEvent{Type: "message_delta", Delta: &stop, Usage: &total}) {
		return
	}
	st.last("message_stop", anthropicEvent{Type: "message_stop"})
}
