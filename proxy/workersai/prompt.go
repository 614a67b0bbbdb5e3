package workersai

import (
	"encoding/json"
	"fmt"
	"strings"
)

// imageTokens is what an image in a prompt counts as.
const imageTokens = 256

// prompt is what a text model is asked, in whatever protocol.
type prompt struct {
	last   string // what the user said last, to be echoed
	tokens int64
	cached int64 // tokens of all but the last message, where a session is named
	limit  int64 // most output tokens

	answered bool // the last message is what a tool returned, or the beginning of an answer
	rounds   int  // how often tools have returned something since the user's last message
	choices  int  // how many answers are asked for
	reasons  bool // reasoning is to come before the answer

	json   bool            // the answer is to be JSON
	schema json.RawMessage // that it has to satisfy; nil: any object will do
	calls  []tool          // to be called instead of saying anything
}

// defaultLimit is the number of output tokens where the caller names none.
const defaultLimit = 256

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// add counts one message.
func (p *prompt) add(role, text string, tokens int64) {
	p.cached = p.tokens
	p.tokens += tokens
	if role == "user" || p.last == "" {
		p.last = text
	}
}

// readMessages counts a list of messages of any protocol.
func (p *prompt) readMessages(field string, raw json.RawMessage) *failure {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return mismatch(field, raw, "array")
	}
	if len(list) == 0 {
		return badInput("'/%s' must not be empty", field)
	}
	returned := false // the message before is what a tool returned
	for i, item := range list {
		at := fmt.Sprintf("%s/%d", field, i)
		var m message
		if json.Unmarshal(item, &m) != nil {
			return mismatch(at, item, "object")
		}
		var in fields
		_ = json.Unmarshal(item, &in) // it is an object
		if in.has("type") && !in.has("role") {
			p.tokens += CountTokens(string(item)) // a tool call of the Responses protocol or its result
			kind, _, _ := in.text("type")
			returned = p.follow(returned, strings.HasSuffix(kind, "_output"))
			continue
		}
		if m.Role == "" {
			return badInput("required properties at '/%s' are 'role,content'", at)
		}
		text, tokens, f := readContent(at+"/content", m.Content)
		if f != nil {
			return f
		}
		if in.has("tool_calls") {
			tokens += CountTokens(string(in["tool_calls"]))
		}
		result := m.Role == "tool" || m.Role == "function" || hasToolResult(m.Content)
		if m.Role == "user" && !result {
			p.rounds = 0
		}
		returned = p.follow(returned, result)
		p.answered = result || m.Role == "assistant"
		p.add(m.Role, text, tokens)
	}
	return nil
}

// follow counts a message that is what a tool returned, or is not, after one that was, or was not. It returns which
// this one is.
func (p *prompt) follow(after, result bool) bool {
	if result && !after {
		p.rounds++
	}
	p.answered = result
	return result
}

// hasToolResult reports whether the content of a message holds Anthropic's tool_result.
func hasToolResult(content json.RawMessage) bool {
	var parts []struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(content, &parts) // a text has no parts
	for _, part := range parts {
		if part.Type == "tool_result" {
			return true
		}
	}
	return false
}

// readContent returns the text of a message and its tokens: a string, or a list
// of parts.
func readContent(at string, raw json.RawMessage) (string, int64, *failure) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", 0, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, CountTokens(text), nil
	}
	var parts []fields
	if json.Unmarshal(raw, &parts) != nil {
		return "", 0, mismatch(at, raw, "string','array")
	}
	var all []string
	var tokens int64
	for i, part := range parts {
		kind, _, _ := part.text("type")
		if strings.Contains(kind, "image") {
			tokens += imageTokens
			continue
		}
		if part.has("content") { // Anthropic's tool_result
			t, n, f := readContent(fmt.Sprintf("%s/%d/content", at, i), part["content"])
			if f != nil {
				return "", 0, f
			}
			all, tokens = append(all, t), tokens+n
			continue
		}
		t, _, f := part.text("text")
		if f != nil {
			return "", 0, f
		}
		all, tokens = append(all, t), tokens+CountTokens(t)
	}
	return strings.Join(all, " "), tokens, nil
}

// readPrompt reads what a chat or native call asks: messages, or a prompt.
func (x *exchange) readPrompt() (*prompt, *failure) {
	p := &prompt{choices: 1}
	limit := max(defaultLimit, int64(x.directive.tokens))
	for _, name := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		var f *failure
		if limit, f = x.in.count(name, limit); f != nil {
			return nil, f
		}
	}
	p.limit = limit
	switch {
	case x.in.has("messages"):
		if f := p.readMessages("messages", x.in["messages"]); f != nil {
			return nil, f
		}
	case x.route.surface == surfaceNative && x.in.has("prompt"):
		text, _, f := x.in.text("prompt")
		if f != nil {
			return nil, f
		}
		p.add("user", text, CountTokens(text))
	case x.in.has("input") && x.route.surface != surfaceChat:
		if text, _, f := x.in.text("input"); f == nil {
			p.add("user", text, CountTokens(text))
		} else if f := p.readMessages("input", x.in["input"]); f != nil {
			return nil, f
		}
	case x.route.surface == surfaceChat || x.route.surface == surfaceMessages:
		return nil, badInput("required properties at '/' are 'messages'")
	case x.route.surface == surfaceResponses || strings.HasPrefix(x.model.name, "@cf/openai/"):
		return nil, badInput("oneOf at '/' not met, 0 matches: required properties at '/' are 'input', required " +
			"properties at '/' are 'requests'")
	default:
		return nil, badInput("oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', required " +
			"properties at '/' are 'messages'")
	}
	for _, name := range []string{"system", "instructions"} {
		if x.in.has(name) {
			_, tokens, f := readContent(name, x.in[name])
			if f != nil {
				return nil, f
			}
			p.tokens += tokens
			p.cached += tokens
		}
	}
	if x.r.Header.Get("x-session-affinity") == "" {
		p.cached = 0
	}
	if x.differs(differPrompt) {
		p.tokens += hiddenPrompt
	}
	return p, x.readWishes(p)
}

// ask reads what a text model is asked and makes up its reply.
func (x *exchange) ask() (reply, *failure) {
	p, f := x.readPrompt()
	if f != nil {
		return reply{}, f
	}
	return x.think(p)
}
