package workersai_test

import (
	"encoding/json"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// read reads JSON into a T.
func read[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("got %v, want JSON of a %T\n%s", err, v, text)
	}
	return v
}

type chatPart struct {
	Content          string
	ReasoningContent string `json:"reasoning_content"`
	ToolCalls        []struct {
		Index    int
		ID       string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

func wholeChat(t *testing.T, a answer) called {
	t.Helper()
	v := read[struct {
		Choices []struct {
			Message chatPart
			Finish  string `json:"finish_reason"`
		}
		Usage usage
	}](t, a.body)
	c := called{input: v.Usage.Prompt, output: v.Usage.Completion}
	if len(v.Choices) == 0 {
		t.Fatalf("got %s, want a choice", a.body)
	}
	m := v.Choices[0].Message
	c.text, c.reasoning, c.finish = m.Content, m.ReasoningContent, v.Choices[0].Finish
	for _, call := range m.ToolCalls {
		c.tools = append(c.tools, workersai.ToolCall{Name: call.Function.Name, Arguments: call.Function.Arguments})
		c.ids = append(c.ids, call.ID)
	}
	return c
}

// streamedChat puts the events together as clients do: name and id are added to as arguments are.
func streamedChat(t *testing.T, events []string) called {
	t.Helper()
	var c called
	for i, event := range events {
		if event == "[DONE]" {
			if i != len(events)-1 {
				t.Errorf("got [DONE] as event %d, want it last, as %d", i, len(events)-1)
			}
			continue
		}
		v := read[struct {
			Response *string
			Choices  []struct {
				Delta  chatPart
				Finish *string `json:"finish_reason"`
			}
			Usage *usage
		}](t, event)
		if len(v.Choices) == 0 && v.Usage != nil && v.Usage.Total > 0 { // the usage of the whole
			c.input, c.output = v.Usage.Prompt, v.Usage.Completion
		}
		for _, choice := range v.Choices {
			c.text += choice.Delta.Content
			c.reasoning += choice.Delta.ReasoningContent
			if choice.Finish != nil {
				c.finish = *choice.Finish
			}
			c.addCalls(choice.Delta)
		}
	}
	return c
}

// addCalls adds the pieces of calls in one event.
func (c *called) addCalls(delta chatPart) {
	for _, call := range delta.ToolCalls {
		for len(c.tools) <= call.Index {
			c.tools, c.ids = append(c.tools, workersai.ToolCall{}), append(c.ids, "")
		}
		c.tools[call.Index].Name += call.Function.Name
		c.tools[call.Index].Arguments += call.Function.Arguments
		c.ids[call.Index] += call.ID
	}
}

type nativePart struct {
	Response  json.RawMessage
	ToolCalls []struct {
		Name      string
		Arguments json.RawMessage
	} `json:"tool_calls"`
	Usage *usage
}

func wholeNative(t *testing.T, a answer) called {
	t.Helper()
	var c called
	v := decode[v4[nativePart]](t, a).Result
	var text *string
	if json.Unmarshal(v.Response, &text) != nil { // an object, in JSON mode
		c.text = string(v.Response)
	} else if text != nil {
		c.text += *text
	}
	for _, call := range v.ToolCalls {
		c.tools = append(c.tools, workersai.ToolCall{Name: call.Name, Arguments: string(call.Arguments)})
	}
	if v.Usage != nil {
		c.input, c.output = v.Usage.Prompt, v.Usage.Completion
	}
	return c
}

func streamedNative(t *testing.T, events []string) called {
	t.Helper()
	var c called
	for _, event := range events {
		if event == "[DONE]" {
			continue
		}
		v := read[struct {
			chatPart
			Response string
			Usage    *usage
		}](t, event)
		c.text += v.Response
		c.addCalls(v.chatPart)
		if v.Usage != nil {
			c.input, c.output = v.Usage.Prompt, v.Usage.Completion
		}
	}
	return c
}

type responseItem struct {
	Type, Name, Arguments string
	CallID                string `json:"call_id"`
	Content               []struct{ Type, Text string }
}

type wholeResponseBody struct {
	Status string
	Output []responseItem
	Usage  struct {
		Input   int64 `json:"input_tokens"`
		Output  int64 `json:"output_tokens"`
		Details struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	}
}

func (v wholeResponseBody) called(t *testing.T) called {
	t.Helper()
	c := called{input: v.Usage.Input, output: v.Usage.Output}
	if v.Status != "completed" {
		c.finish = v.Status
	}
	for _, item := range v.Output {
		if item.Type == "function_call" {
			c.tools = append(c.tools, workersai.ToolCall{Name: item.Name, Arguments: item.Arguments})
			c.ids = append(c.ids, item.CallID)
		}
		for _, part := range item.Content {
			if part.Type == "reasoning_text" {
				c.reasoning += part.Text
			} else {
				c.text += part.Text
			}
		}
	}
	if got, want := v.Usage.Details.Reasoning, workersai.CountTokens(c.reasoning); got != want {
		t.Errorf("got %d reasoning tokens, want %d", got, want)
	}
	return c
}

func wholeResponse(t *testing.T, a answer) called {
	t.Helper()
	return read[wholeResponseBody](t, a.body).called(t)
}

// streamedResponse checks that the deltas of each item and the response at the end say the same.
func streamedResponse(t *testing.T, events []string) called {
	t.Helper()
	var c, whole called
	for i, event := range events {
		v := read[struct {
			Type, Delta string
			Sequence    int `json:"sequence_number"`
			Output      int `json:"output_index"`
			Item        responseItem
			Response    wholeResponseBody
		}](t, event)
		if v.Sequence != i {
			t.Errorf("got sequence_number %d, want %d", v.Sequence, i)
		}
		switch v.Type {
		case "response.output_text.delta":
			c.text += v.Delta
		case "response.reasoning_text.delta":
			c.reasoning += v.Delta
		case "response.function_call_arguments.delta":
			c.tools[len(c.tools)-1].Arguments += v.Delta
		case "response.output_item.added":
			if v.Item.Type == "function_call" {
				c.tools = append(c.tools, workersai.ToolCall{Name: v.Item.Name, Arguments: v.Item.Arguments})
			}
		case "response.completed", "response.incomplete":
			whole = v.Response.called(t)
		}
	}
	if c.text != whole.text || c.reasoning != whole.reasoning || len(c.tools) != len(whole.tools) {
		t.Errorf("got %+v by deltas, want %+v", c, whole)
	}
	for i := range c.tools {
		if c.tools[i] != whole.tools[i] {
			t.Errorf("call %d: got %+v by deltas, want %+v", i, c.tools[i], whole.tools[i])
		}
	}
	return whole
}

type messageBlock struct {
	Type, Text, Thinking, ID, Name, Signature string
	Input                                     json.RawMessage
}

type messageUsage struct {
	Input  int64 `json:"input_tokens"`
	Output int64 `json:"output_tokens"`
}

func wholeMessage(t *testing.T, a answer) called {
	t.Helper()
	v := read[struct {
		Content []messageBlock
		Reason  string `json:"stop_reason"`
		Usage   messageUsage
	}](t, a.body)
	c := called{finish: v.Reason, input: v.Usage.Input, output: v.Usage.Output}
	for _, b := range v.Content {
		c.text += b.Text
		c.reasoning += b.Thinking
		if b.Type == "tool_use" {
			c.tools = append(c.tools, workersai.ToolCall{Name: b.Name, Arguments: string(b.Input)})
			c.ids = append(c.ids, b.ID)
		}
		if (b.Type == "thinking") != (b.Signature != "") {
			t.Errorf("got a %s with signature %q, want thinking alone to have one", b.Type, b.Signature)
		}
	}
	return c
}

func streamedMessage(t *testing.T, events []string) called {
	t.Helper()
	var c called
	for _, event := range events {
		v := read[struct {
			Type  string
			Block messageBlock `json:"content_block"`
			Delta struct {
				Type, Text, Thinking string
				Partial              string `json:"partial_json"`
				Reason               string `json:"stop_reason"`
			}
			Usage messageUsage
		}](t, event)
		switch v.Type {
		case "content_block_start":
			if v.Block.Type == "tool_use" {
				c.tools = append(c.tools, workersai.ToolCall{Name: v.Block.Name})
				c.ids = append(c.ids, v.Block.ID)
			}
		case "content_block_delta":
			c.text += v.Delta.Text
			c.reasoning += v.Delta.Thinking
			if v.Delta.Type == "input_json_delta" {
				c.tools[len(c.tools)-1].Arguments += v.Delta.Partial
			}
		case "message_delta":
			c.finish, c.input, c.output = v.Delta.Reason, v.Usage.Input, v.Usage.Output
		}
	}
	return c
}
