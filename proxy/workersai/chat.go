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
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	ToolCalls []chatTool `json:"tool_calls,omitempty"`
}

type chatTool struct {
	Index    *int         `json:"index,omitempty"` // in streams
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name"`
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
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []chatTool `json:"tool_calls,omitempty"`
}

// chat answers POST v1/chat/completions.
func (x *exchange) chat() *failure {
	p, f := x.readPrompt()
	if f != nil {
		return f
	}
	r := x.think(p)
	if x.streams {
		x.streamChat(r)
		return nil
	}
	x.billText(r)
	return x.answer(x.completion(r))
}

// completion returns r, which is billed, as a chat completion.
func (x *exchange) completion(r reply) completion {
	text := r.text()
	m := chatMessage{Role: "assistant", Content: &text}
	if r.tool != "" {
		m.Content = nil
		m.ToolCalls = []chatTool{{
			ID: x.toolID(), Type: "function",
			Function: chatFunction{Name: r.tool, Arguments: text},
		}}
	}
	return completion{
		ID: x.answerID("chatcmpl-"), Object: "chat.completion", Created: x.now.Unix(), Model: x.model.name,
		Choices: []choice{{Message: m, Finish: r.finish}}, Usage: x.usage,
	}
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
	events := 0
	emit := func(d delta, finish *string, u usage) bool {
		c.Choices = []chunkChoice{{Delta: d, Finish: finish}}
		if newer {
			c.Usage, c.Padding = &u, x.padding(events)
		}
		events++
		return st.event("", c)
	}
	if empty := ""; !emit(delta{Role: "assistant", Content: &empty}, nil, x.usageOf(in, cached, 0)) {
		return
	}
	each := int64(1)
	if x.differs(differSum) {
		each = 2
	}
	for i, piece := range r.pieces {
		d := delta{Content: &piece}
		if r.tool != "" {
			d = delta{ToolCalls: []chatTool{{
				Index: new(int), ID: x.toolID(), Type: "function",
				Function: chatFunction{Name: r.tool, Arguments: piece},
			}}}
		}
		x.spendTokens(in, cached, int64(i+1))
		if !emit(d, nil, x.usageOf(0, 0, each)) {
			return
		}
	}
	if !emit(delta{}, &r.finish, x.usageOf(0, 0, 0)) {
		return
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
