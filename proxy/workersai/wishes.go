package workersai

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxChoices is how many answers one call may ask for.
const maxChoices = 16

// tool is one that the caller offers.
type tool struct {
	name   string
	schema json.RawMessage // of its arguments; nil: it has none
}

// readWishes reads what form of answer is asked for, and refuses what does not
// fit the model.
func (x *exchange) readWishes(p *prompt) *failure {
	if f := x.readFormat(p); f != nil {
		return f
	}
	if x.in.has("tools") {
		p.tokens += CountTokens(string(x.in["tools"]))
		if f := x.readTools(p); f != nil {
			return f
		}
	}
	if x.route.surface == surfaceChat {
		n, f := x.in.count("n", 1)
		if f != nil {
			return f
		}
		if n > maxChoices {
			return badInput("'/n' must be <= %d", maxChoices)
		}
		p.choices = int(n)
	}
	p.reasons = x.reasons(p)
	if window := x.model.window(); p.tokens+p.limit > window {
		return refuseText(5021, "Ai: The estimated number of input and maximum output tokens (%d) exceeded this "+
			"model context window limit (%d).", p.tokens+p.limit, window)
	}
	return nil
}

// readFormat reads the form of the answer, which each protocol has under another name.
func (x *exchange) readFormat(p *prompt) *failure {
	format := x.in
	for _, path := range map[surface][]string{
		surfaceChat: {"response_format"}, surfaceNative: {"response_format"}, surfaceResponses: {"text", "format"},
		surfaceMessages: {"output_config", "format"},
	}[x.route.surface] {
		var f *failure
		if format, f = format.object(path); f != nil {
			return f
		}
	}
	if old, _ := x.in.object("output_format"); old != nil && x.route.surface == surfaceMessages {
		format = old
	}
	kind, _, _ := format.text("type")
	if kind != "json_object" && kind != "json_schema" {
		return nil
	}
	if x.streams && !x.model.newer() {
		return refuse(5023)
	}
	p.json = true
	p.schema = format["schema"]
	// OpenAI wraps the schema, Cloudflare's documentation does not.
	if schema, _ := format.object("json_schema"); schema != nil {
		p.schema = format["json_schema"]
		if inner, _ := schema.object("schema"); inner != nil && !schema.has("properties") {
			p.schema = schema["schema"]
		}
	}
	if strings.Trim(string(p.schema), "{ \r\n\t}") == "" {
		p.schema = nil // it asks for nothing
	}
	return nil
}

// readTools reads which tools are to be called: those that the caller insists on
// or x-simulate names. Once a tool has returned something, text comes, unless
// x-simulate names what is called next.
func (x *exchange) readTools(p *prompt) *failure {
	tools := offered(x.in["tools"])
	choice, f := chooseTool(x.in, tools)
	if f != nil || choice.none || len(tools) == 0 {
		return f
	}
	var wish toolsWish
	switch script := x.directive.tools; {
	case p.answered && p.rounds == 0: // the beginning of an answer
		return nil
	case p.rounds < len(script):
		wish = script[p.rounds]
	case p.rounds == 0 && choice.must:
		wish.count = 1
	}
	if len(choice.among) > 0 && len(wish.names) == 0 {
		tools = choice.among
	}
	for i := range wish.count {
		one := tools[i%len(tools)]
		if len(wish.names) > 0 {
			k := slices.IndexFunc(tools, func(t tool) bool { return t.name == wish.names[i] })
			if k < 0 {
				return refuseText(5006, "x-simulate: tool=%s is none of the tools of this call", wish.names[i])
			}
			one = tools[k]
		}
		p.calls = append(p.calls, one)
		if choice.single {
			break
		}
	}
	return nil
}

// offered returns the tools of a call in any protocol. What is no function is left out.
func offered(raw json.RawMessage) []tool {
	var list []struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Parameters  json.RawMessage `json:"parameters"`
		InputSchema json.RawMessage `json:"input_schema"`
		Function    struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
		} `json:"function"`
	}
	_ = json.Unmarshal(raw, &list) // what does not fit offers nothing
	var tools []tool
	for _, t := range list {
		one := tool{t.Function.Name, t.Function.Parameters}
		if one.name == "" {
			one = tool{t.Name, t.Parameters}
		}
		if len(t.InputSchema) > 0 {
			one.schema = t.InputSchema
		}
		hosted := t.Type != "" && t.Type != "function" // and so is what takes free text
		if one.name != "" && !(hosted && len(one.schema) == 0) {
			tools = append(tools, one)
		}
	}
	return tools
}

// choice is what tool_choice says.
type toolChoice struct {
	none   bool
	must   bool
	single bool   // not several at once
	among  []tool // those that must be chosen from; nil: all
}

// chooseTool reads tool_choice in any protocol.
func chooseTool(in fields, tools []tool) (toolChoice, *failure) {
	var c toolChoice
	if parallel, f := in.flag("parallel_tool_calls"); f == nil && in.has("parallel_tool_calls") {
		c.single = !parallel
	}
	if word, _, f := in.text("tool_choice"); f == nil {
		c.none, c.must = word == "none", word == "required" || word == "any"
		return c, nil
	}
	type named struct {
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	type allowed struct {
		Mode  string  `json:"mode"`
		Tools []named `json:"tools"`
	}
	var choice struct {
		named
		allowed

		Type    string  `json:"type"`
		Allowed allowed `json:"allowed_tools"`
		Single  bool    `json:"disable_parallel_tool_use"`
	}
	_ = json.Unmarshal(in["tool_choice"], &choice) // what does not fit asks for nothing
	c.single = c.single || choice.Single
	list := append(append([]named{choice.named}, choice.Tools...), choice.Allowed.Tools...)
	for _, n := range list {
		name := n.Name
		if n.Function.Name != "" {
			name = n.Function.Name
		}
		if name == "" {
			continue
		}
		i := slices.IndexFunc(tools, func(t tool) bool { return t.name == name })
		if i < 0 {
			return c, badInput("tool_choice: %s is none of the tools", name)
		}
		c.among = append(c.among, tools[i])
	}
	one := choice.Name != "" || choice.Function.Name != ""
	c.none = choice.Type == "none"
	c.must = one || choice.Type == "any" || choice.Mode == "required" || choice.Allowed.Mode == "required"
	return c, nil
}
