package workersai

import (
	"slices"
	"strings"
)

// thinker is a family of models that reason before they answer.
type thinker struct {
	family string
	fields []string // of a chat message that hold the reasoning
}

const (
	fieldReasoning        = "reasoning"
	fieldReasoningContent = "reasoning_content"
)

var thinkers = []thinker{
	{"@cf/openai/gpt-oss", []string{fieldReasoningContent}},
	{"@cf/qwen/qwen3", []string{fieldReasoningContent}},
	{"@cf/deepseek-ai/deepseek-v4", []string{fieldReasoningContent}},
	{"@cf/zai-org/", []string{fieldReasoning, fieldReasoningContent}},
	{"@cf/moonshotai/", []string{fieldReasoning, fieldReasoningContent}},
	{"@cf/nvidia/", []string{fieldReasoning, fieldReasoningContent}},
	{"@cf/google/gemma-4", []string{fieldReasoning}},
}

// reasoningFields are those of x's model, nil where it does not reason.
func (x *exchange) reasoningFields() []string {
	i := slices.IndexFunc(thinkers, func(t thinker) bool { return strings.HasPrefix(x.model.name, t.family) })
	if i < 0 {
		return nil
	}
	return thinkers[i].fields
}

// minReasoned is the limit of output below which there is no reasoning: a real
// model would spend it all before it says a word.
const minReasoned = 100

// reasons reports whether reasoning comes before the answer to p: where the model
// does that, unless the caller or x-simulate wants the answer alone. In Anthropic's
// protocol the caller has to ask for it.
func (x *exchange) reasons(p *prompt) bool {
	if x.reasoningFields() == nil || p.limit < minReasoned || x.scripted.Text != "" || len(x.scripted.Tools) > 0 ||
		x.directive.tokens > 0 || x.directive.say != nil {
		return false
	}
	switch x.route.surface {
	case surfaceMessages:
		thinking, _ := x.in.object("thinking")
		kind, _, _ := thinking.text("type")
		return kind != "" && kind != "disabled"
	case surfaceResponses:
		reasoning, _ := x.in.object("reasoning")
		effort, _, _ := reasoning.text("effort")
		return effort != "none"
	}
	effort, _, _ := x.in.text("reasoning_effort")
	template, _ := x.in.object("chat_template_kwargs")
	for _, name := range []string{"enable_thinking", "thinking"} {
		if on, f := template.flag(name); f == nil && template.has(name) && !on {
			return false
		}
	}
	return effort != "none"
}
