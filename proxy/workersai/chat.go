package workersai

// The shapes of OpenAI's chat completions.

type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   usage    `json:"usage"`
}

type choice struct {
	Index   int         `json:"index"`
	Message chatMessage `json:"message"`
	Finish  string      `json:"finish_reason"`
}

type chatMessage struct {
	Role             string     `json:"role"`
	Content          *string    `json:"content"`
	Reasoning        string     `json:"reasoning,omitempty"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []chatTool `json:"tool_calls,omitempty"`
}

type chatTool struct {
	Index    *int         `json:"index,omitempty"` // in streams
	ID       string       `json:"id,omitempty"`    // in the first event of a call alone, as are type and name
	Type     string       `json:"type,omitempty"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []chunkChoice `json:"choices"`
	Usage   *usage        `json:"usage,omitempty"`
	Padding string        `json:"p,omitempty"`
}

type chunkChoice struct {
	Index  int     `json:"index"`
	Delta  delta   `json:"delta"`
	Finish *string `json:"finish_reason"`
}

type delta struct {
	Role             string     `json:"role,omitempty"`
	Content          *string    `json:"content,omitempty"`
	Reasoning        string     `json:"reasoning,omitempty"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	ToolCalls        []chatTool `json:"tool_calls,omitempty"`
}

// chat answers POST v1/chat/completions.
func (x *exchange) chat() *failure {
	r, f := x.ask()
	if f != nil {
		return f
	}
	if x.streams {
		x.streamChat(r)
		return nil
	}
	x.billText(r)
	return x.answer(x.completion(r))
}

// completion returns r, which is billed, as a chat completion.
func (x *exchange) completion(r reply) completion {
	v := completion{
		ID: x.answerID("chatcmpl-"), Object: "chat.completion", Created: x.now.Unix(), Model: x.model.name,
		Usage: x.usage,
	}
	for i, said := range r.choices {
		m := chatMessage{Role: "assistant"}
		if text, ok := said.text(formText); ok {
			m.Content = &text
		}
		if text, ok := said.text(formReasoning); ok {
			m.Reasoning, m.ReasoningContent = x.reasoningIn(text)
		}
		for _, c := range said.calls() {
			m.ToolCalls = append(m.ToolCalls, chatTool{
				ID: c.id, Type: "function", Function: chatFunction{Name: c.tool, Arguments: c.text()},
			})
		}
		v.Choices = append(v.Choices, choice{Index: i, Message: m, Finish: said.finish})
	}
	return v
}

// reasoningIn returns the two fields of a message that may hold reasoning.
func (x *exchange) reasoningIn(text string) (reasoning, content string) {
	for _, field := range x.reasoningFields() {
		if field == fieldReasoning {
			reasoning = text
		} else {
			content = text
		}
	}
	return reasoning, content
}

// A chatStep is one event of one answer of a stream.
type chatStep struct {
	delta  delta
	finish *string
	tokens int64
}

// chatSteps returns the events of one answer.
func (x *exchange) chatSteps(s said) []chatStep {
	empty := ""
	steps := []chatStep{{delta: delta{Role: "assistant", Content: &empty}}}
	calls := 0
	for _, p := range s.parts {
		var call *int
		if p.form == formCall {
			index := calls
			call, calls = &index, calls+1
			steps = append(steps, chatStep{delta: delta{ToolCalls: []chatTool{{
				Index: call, ID: p.id, Type: "function", Function: chatFunction{Name: p.tool},
			}}}})
		}
		for _, piece := range p.pieces {
			var d delta
			switch p.form {
			case formReasoning:
				d.Reasoning, d.ReasoningContent = x.reasoningIn(piece)
			case formCall:
				d.ToolCalls = []chatTool{{Index: call, Function: chatFunction{Arguments: piece}}}
			case formText:
				d.Content = &piece
			}
			steps = append(steps, chatStep{delta: d, tokens: 1})
		}
	}
	return append(steps, chatStep{finish: &s.finish})
}

// streamChat is the stream of OpenAI chunks. A newer model puts an increment of
// the usage and padding into each, then an increment of nothing with empty
// choices, then one native event with the usage of the whole. An older one, which
// speaks this protocol on v1/chat/completions only, has the usage of the whole
// with empty choices.
func (x *exchange) streamChat(r reply) {
	newer := x.model.newer()
	c := chunk{ID: x.answerID("chatcmpl-"), Object: "chat.completion.chunk", Created: x.now.Unix(), Model: x.model.name}
	in, cached := r.prompt.tokens, r.prompt.cached
	x.spendTokens(in, cached, 0)
	st := x.openStream()
	events, made, each := 0, int64(0), int64(1)
	if x.differs(differSum) {
		each = 2
	}
	emit := func(choice int, s chatStep) bool {
		prompt, shared := in, cached // of all: in the first event
		if events > 0 {
			prompt, shared = 0, 0
		}
		c.Choices = []chunkChoice{{Index: choice, Delta: s.delta, Finish: s.finish}}
		if newer {
			u := x.usageOf(prompt, shared, s.tokens*each)
			c.Usage, c.Padding = &u, x.padding(events)
		}
		events++
		made += s.tokens
		x.spendTokens(in, cached, made)
		return st.event("", c)
	}
	all := make([][]chatStep, len(r.choices))
	longest := 0
	for i, said := range r.choices {
		all[i] = x.chatSteps(said)
		longest = max(longest, len(all[i]))
	}
	for k := range longest { // several answers come in turn
		for i, steps := range all {
			if k < len(steps) && !emit(i, steps[k]) {
				return
			}
		}
	}
	if x.differs(differOrder) && !st.send("", doneMark) {
		return
	}
	c.Choices, c.Padding = []chunkChoice{}, ""
	c.Usage = &x.usage
	if newer {
		c.Usage = new(usage)
	}
	if !st.event("", c) {
		return
	}
	if newer && !st.event("", nativeEvent{Usage: &x.usage}) {
		return
	}
	st.done()
}
