package clients

import (
	"errors"
	"fmt"
	"strings"
)

// A pattern matches names of models. A * matches any number of characters, slashes too: @cf/meta/* are all models of
// Meta, @cf/* all that Cloudflare hosts. Nothing else is special, and upper and lower case differ.
type pattern string

// parsePattern returns text as a pattern, or an error that says what is wrong with it.
func parsePattern(text string) (pattern, error) {
	if name, found := strings.CutSuffix(text, "/"); found && name != "" {
		return "", fmt.Errorf("%s ends in a slash; write %s for all models below it", shown(text), shown(text+"*"))
	}
	if err := checkPath(strings.ReplaceAll(text, "*", "x")); err != nil {
		return "", fmt.Errorf("%s %w", shown(text), err)
	}
	return pattern(text), nil
}

const maxModel = 256 // bytes of a pattern, or of a name that may match one

// checkPath returns why name cannot be a model's, nil if it can.
func checkPath(name string) error {
	const want = "write a model such as @cf/meta/llama-3.1-8b-instruct, or a part of it and *, such as @cf/meta/*"
	if name == "" {
		return errors.New("is empty; " + want)
	}
	if len(name) > maxModel {
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
func (p pattern) matches(name string) bool {
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
