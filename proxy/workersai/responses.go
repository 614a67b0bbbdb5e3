package workersai

import "fmt"

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
	ID        string        `json:"id"`
	Type      string        `json:"type"`
	Status    string        `json:"status"`
	Role      string        `json:"role,omitempty"`
	Content   *[]outputText `json:"content,omitempty"` // of a message and of reasoning, also without any
	Summary   *[]outputText `json:"summary,omitempty"` // of reasoning
	CallID    string        `json:"call_id,omitempty"`
	Name      string        `json:"name,omitempty"`
	Arguments *string       `json:"arguments,omitempty"`
}

type outputText struct {
	Type        string    `json:"type"`
	Text        string    `json:"text"`
	Annotations *[]string `json:"annotations,omitempty"` // of text, also without any
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
	Name     string      `json:"name,omitempty"`
}

// responses answers POST v1/responses.
func (x *exchange) responses() *failure {
	r, f := x.ask()
	if f != nil {
		return f
	}
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
	v.Status = responseCompleted
	if r.choices[0].finish == "length" {
		v.Status, v.Incomplete = "incomplete", &incompleteReason{Reason: "max_output_tokens"}
	}
	for i, p := range r.choices[0].parts {
		v.Output = append(v.Output, x.item(i, p, v.Status, p.text()))
	}
	u := x.usage
	v.Usage = &responseUsage{
		Input: u.Prompt, InputDetails: u.Details, Output: u.Completion,
		OutputDetails: outputDetails{r.tokens(formReasoning)}, Total: u.Total, Neurons: u.Neurons,
	}
	return v
}

func (x *exchange) begun() response {
	return response{
		ID: x.answerID("resp_"), Object: "response", Created: x.now.Unix(), Status: responseInProgress,
		Model: x.model.name, Output: []outputItem{},
	}
}

// States of a response and its items.
const (
	responseInProgress = "in_progress"
	responseCompleted  = "completed"
)

// item is part i of a response, with as much of its text as there is. In progress it has no content.
func (x *exchange) item(i int, p passage, status, text string) outputItem {
	v := outputItem{Status: status}
	content := []outputText{}
	if status != responseInProgress {
		content = append(content, contentOf(p, text))
	}
	switch p.form {
	case formCall:
		v.ID, v.Type, v.CallID, v.Name, v.Arguments = x.itemID("fc_", i), "function_call", p.id, p.tool, &text
	case formReasoning:
		v.ID, v.Type, v.Summary, v.Content = x.itemID("rs_", i), "reasoning", &[]outputText{}, &content
	case formText:
		v.ID, v.Type, v.Role, v.Content = x.itemID("msg_", i), "message", "assistant", &content
	}
	return v
}

// itemID is the id of item i of a response.
func (x *exchange) itemID(prefix string, i int) string {
	id := x.answerID(prefix)
	if i == 0 {
		return id
	}
	return fmt.Sprintf("%s%02x", id[:len(id)-2], i)
}

func contentOf(p passage, text string) outputText {
	if p.form == formReasoning {
		return outputText{Type: "reasoning_text", Text: text}
	}
	return outputText{Type: "output_text", Text: text, Annotations: &[]string{}}
}

// streamResponses is the stream of a response. It ends with response.completed or
// response.incomplete and has no [DONE].
func (x *exchange) streamResponses(r reply) {
	x.spendTokens(r.prompt.tokens, r.prompt.cached, 0)
	s := &responseStream{st: x.openStream()}
	begun := x.begun()
	if !s.emit(responseEvent{Type: "response.created", Response: &begun}) ||
		!s.emit(responseEvent{Type: "response.in_progress", Response: &begun}) {
		return
	}
	for i, p := range r.choices[0].parts {
		if !x.streamItem(s, r, i, p) {
			return
		}
	}
	whole := x.finished(r)
	end := "response." + whole.Status
	s.st.last(end, responseEvent{Type: end, Sequence: s.sequence, Response: &whole})
}

// responseStream numbers the events of a stream and counts its tokens.
type responseStream struct {
	st       *stream
	sequence int
	made     int64
}

func (s *responseStream) emit(e responseEvent) bool {
	e.Sequence = s.sequence
	s.sequence++
	return s.st.event(e.Type, e)
}

// streamItem sends the events of part i of a response.
func (x *exchange) streamItem(s *responseStream, r reply, i int, p passage) bool {
	kind, zero := "response.output_text", new(int)
	switch p.form {
	case formCall:
		kind, zero = "response.function_call_arguments", nil
	case formReasoning:
		kind = "response.reasoning_text"
	case formText:
	}
	item := x.item(i, p, responseInProgress, "")
	empty := contentOf(p, "")
	if !s.emit(responseEvent{Type: "response.output_item.added", Output: &i, Item: &item}) ||
		zero != nil && !s.emit(responseEvent{
			Type: "response.content_part.added", ItemID: item.ID, Output: &i, Content: zero, Part: &empty,
		}) {
		return false
	}
	for _, piece := range p.pieces {
		s.made++
		x.spendTokens(r.prompt.tokens, r.prompt.cached, s.made)
		if !s.emit(responseEvent{Type: kind + ".delta", ItemID: item.ID, Output: &i, Content: zero, Delta: &piece}) {
			return false
		}
	}
	text := p.text()
	status := responseCompleted
	if r.choices[0].finish == "length" && i == len(r.choices[0].parts)-1 {
		status = "incomplete"
	}
	done := responseEvent{Type: kind + ".done", ItemID: item.ID, Output: &i, Content: zero, Text: &text}
	if zero == nil {
		done.Text, done.Args, done.Name = nil, &text, p.tool
	}
	part, item := contentOf(p, text), x.item(i, p, status, text)
	return s.emit(done) &&
		(zero == nil || s.emit(responseEvent{
			Type: "response.content_part.done", ItemID: item.ID, Output: &i, Content: zero, Part: &part,
		})) &&
		s.emit(responseEvent{Type: "response.output_item.done", Output: &i, Item: &item})
}
