package workersai

// The shapes of OpenAI's responses.

type response struct {
	ID         string            `json:"id"`
	Object     string            `json:"object"`
	Created    int64             `json:"created_at"`
	Status     string            `json:"status"`
	Error      *string           `json:"error"`
	Incomplete *incompleteReason `json:"incomplete_details"`
	Model      string            `json:"model"`
	Output     []outputItem      `json:"output"`
	Usage      *responseUsage    `json:"usage"`
}

type incompleteReason struct {
	Reason string `json:"reason"`
}

type outputItem struct {
	ID        string       `json:"id"`
	Type      string       `json:"type"`
	Status    string       `json:"status"`
	Role      string       `json:"role,omitempty"`
	Content   []outputText `json:"content,omitempty"`
	CallID    string       `json:"call_id,omitempty"`
	Name      string       `json:"name,omitempty"`
	Arguments string       `json:"arguments,omitempty"`
}

type outputText struct {
	Type        string   `json:"type"`
	Text        string   `json:"text"`
	Annotations []string `json:"annotations"`
}

type responseUsage struct {
	Input         int64         `json:"input_tokens"`
	InputDetails  usageDetails  `json:"input_tokens_details"`
	Output        int64         `json:"output_tokens"`
	OutputDetails outputDetails `json:"output_tokens_details"`
	Total         int64         `json:"total_tokens"`
	Neurons       float64       `json:"neurons"`
}

type outputDetails struct {
	Reasoning int64 `json:"reasoning_tokens"`
}

type responseEvent struct {
	Type     string      `json:"type"`
	Sequence int         `json:"sequence_number"`
	Response *response   `json:"response,omitempty"`
	ItemID   string      `json:"item_id,omitempty"`
	Output   *int        `json:"output_index,omitempty"`
	Content  *int        `json:"content_index,omitempty"`
	Item     *outputItem `json:"item,omitempty"`
	Part     *outputText `json:"part,omitempty"`
	Delta    *string     `json:"delta,omitempty"`
	Text     *string     `json:"text,omitempty"`
	Args     *string     `json:"arguments,omitempty"`
}

// responses answers POST v1/responses.
func (x *exchange) responses() *failure {
	p, f := x.readPrompt()
	if f != nil {
		return f
	}
	r := x.think(p)
	if x.streams {
		x.streamResponses(r)
		return nil
	}
	x.billText(r)
	return x.answer(x.finished(r))
}

// finished returns r, which is billed, as a whole response.
func (x *exchange) finished(r reply) response {
	v := x.begun()
	v.Status = "completed"
	if r.finish == "length" {
		v.Status, v.Incomplete = "incomplete", &incompleteReason{Reason: "max_output_tokens"}
	}
	item := x.item(r, v.Status)
	if r.tool != "" {
		item.Arguments = r.text()
	} else {
		item.Content = []outputText{{Type: "output_text", Text: r.text(), Annotations: []string{}}}
	}
	v.Output = []outputItem{item}
	u := x.usage
	v.Usage = &responseUsage{
		Input: u.Prompt, InputDetails: u.Details, Output: u.Completion, Total: u.Total,
		Neurons: u.Neurons,
	}
	return v
}

func (x *exchange) begun() response {
	return response{
		ID: x.answerID("resp_"), Object: "response", Created: x.now.Unix(), Status: "in_progress",
		Model: x.model.name, Output: []outputItem{},
	}
}

func (x *exchange) item(r reply, status string) outputItem {
	if r.tool != "" {
		return outputItem{
			ID: x.answerID("fc_"), Type: "function_call", Status: status, CallID: x.toolID(),
			Name: r.tool,
		}
	}
	return outputItem{ID: x.answerID("msg_"), Type: "message", Status: status, Role: "assistant"}
}

// streamResponses is the stream of a response. It ends with response.completed or
// response.incomplete and has no [DONE].
func (x *exchange) streamResponses(r reply) {
	x.spendTokens(r.prompt.tokens, r.prompt.cached, 0)
	st := x.openStream()
	sequence, zero := 0, new(int)
	emit := func(e responseEvent) bool {
		e.Sequence = sequence
		sequence++
		return st.event(e.Type, e)
	}
	begun, item := x.begun(), x.item(r, "in_progress")
	if !emit(responseEvent{Type: "response.created", Response: &begun}) ||
		!emit(responseEvent{Type: "response.in_progress", Response: &begun}) ||
		!emit(responseEvent{Type: "response.output_item.added", Output: zero, Item: &item}) {
		return
	}
	kind := "response.output_text"
	if r.tool != "" {
		kind = "response.function_call_arguments"
	} else if !emit(responseEvent{
		Type: "response.content_part.added", ItemID: item.ID, Output: zero, Content: zero,
		Part: &outputText{Type: "output_text", Annotations: []string{}},
	}) {
		return
	}
	for i, piece := range r.pieces {
		x.spendTokens(r.prompt.tokens, r.prompt.cached, int64(i+1))
		if !emit(responseEvent{Type: kind + ".delta", ItemID: item.ID, Output: zero, Content: zero, Delta: &piece}) {
			return
		}
	}
	whole, text := x.finished(r), r.text()
	done := responseEvent{Type: kind + ".done", ItemID: item.ID, Output: zero, Content: zero, Text: &text}
	if r.tool != "" {
		done.Text, done.Args = nil, &text
	}
	if !emit(done) {
		return
	}
	if r.tool == "" && !emit(responseEvent{
		Type: "response.content_part.done", ItemID: item.ID, Output: zero,
		Content: zero, Part: &whole.Output[0].Content[0],
	}) {
		return
	}
	if !emit(responseEvent{Type: "response.output_item.done", Output: zero, Item: &whole.Output[0]}) {
		return
	}
	end := "response." + whole.Status
	st.last(end, responseEvent{Type: end, Sequence: sequence, Response: &whole})
}
