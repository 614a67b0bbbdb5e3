package modelname

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Pattern matches names of models. A * matches any number of characters, slashes too: @cf/meta/* are all models of
// Meta, @cf/* all that Cloudflare hosts. Nothing else is special, and upper and lower case differ.
type Pattern string

// ParsePattern returns text as a Pattern, or what is wrong with it. shown quotes text for that error.
func ParsePattern(text string, shown func(string) string) (Pattern, error) {
	if name, found := strings.CutSuffix(text, "/"); found && name != "" {
		return "", fmt.Errorf("%s ends in a slash; write %s for all models below it", shown(text), shown(text+"*"))
	}
	if err := check(strings.ReplaceAll(text, "*", "x")); err != nil {
		return "", fmt.Errorf("%s %w", shown(text), err)
	}
	return Pattern(text), nil
}

// workersAIOnly reports whether p matches models of Workers AI alone.
func (p Pattern) workersAIOnly() bool {
	return WorkersAI(strings.TrimPrefix(string(p), prefix))
}

// A List allows the models that one of its patterns matches.
type List []Pattern

// Default returns the list of all models of Workers AI.
func Default() List { return List{"@cf/*", "@hf/*"} }

// BeyondWorkersAI returns the patterns that also match models of others than Workers AI.
func (l List) BeyondWorkersAI() List {
	return slices.DeleteFunc(slices.Clone(l), Pattern.workersAIOnly)
}

// Text returns the patterns with commas between them.
func (l List) Text() string {
	texts := make([]string, len(l))
	for i, p := range l {
		texts[i] = string(p)
	}
	return strings.Join(texts, ",")
}

// AllowsAll reports whether the list has the pattern of every model.
func (l List) AllowsAll() bool { return slices.Contains(l, "*") }

// Allows reports whether a canonical name is on the list. A pattern may also be written with the prefix workers-ai/. A
// name that could mean another one, with empty or dotted segments or unusual characters in it, is on no list.
func (l List) Allows(name string) bool {
	if check(name) != nil {
		return false
	}
	return slices.ContainsFunc(l, func(p Pattern) bool {
		return p.matches(name) || WorkersAI(name) && strings.HasPrefix(string(p), prefix) && p.matches(prefix+name)
	})
}

const maxName = 256 // bytes of a pattern, or of a name that may match one

// check returns why name cannot be a model's, nil if it can.
func check(name string) error {
	const want = "write a model such as @cf/meta/llama-3.1-8b-instruct, or a part of it and *, such as @cf/meta/*"
	if name == "" {
		return errors.New("is empty; " + want)
	}
	if len(name) > maxName {
		return errors.New("is too long; " + want)
	}
	start := 0 // of the present segment
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			if !modelByte(name[i]) {
				return errors.New("holds a character that no model has in its name; " + want)
			}
			continue
		}
		switch name[start:i] {
		case "", ".", "..":
			return errors.New("has an empty or dotted part; " + want)
		}
		start = i + 1
	}
	return nil
}

func modelByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("@._:~+-", c) >= 0
}

// matches reports whether p matches the whole of name. It takes at most len(p) * len(name) steps and no memory.
func (p Pattern) matches(name string) bool {
	at, star, resume := 0, -1, 0 // in p; the last * passed; where in name it would take one more
	for i := 0; i < len(name); {
		switch {
		case at < len(p) && p[at] == '*':
			star, resume = at, i
			at++
		case at < len(p) && p[at] == name[i]:
			at, i = at+1, i+1
		case star >= 0:
			resume++
			at, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(string(p[at:]), "*") == ""
}
