package normalize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// What is made of the catalog: the reference for people, and for machines.

// referenceJSON returns errors.json: the whole catalog as an array.
func referenceJSON() ([]byte, error) {
	entries := Catalog()
	for i, e := range entries {
		entries[i] = e.Named(variable)
	}
	return indented(entries)
}

// variable names a setting as the environment does.
func variable(key string) string { return "NEURONWARD_" + key }

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// referenceMarkdown returns ERRORS.md: a table of all entries and a section for each, whose anchor is the slug.
func referenceMarkdown() []byte {
	var b bytes.Buffer
	b.WriteString("# Errors\n\n" +
		"Every failure that leaves the proxy is one of these. In the envelope `error.name` is the slug, " +
		"`error.number` the number, `error.code` OpenAI's\n" +
		"word where there is one, else the slug. This page is made from the catalog in this package; `go test " +
		"./normalize -update` writes it anew.\n\n")
	for _, part := range []struct {
		title   string
		entries []Entry
	}{
		{"Documented by Cloudflare", documented},
		{"Seen on the wire", observed},
		{"Of an AI Gateway", gateway},
		{"Of this proxy", own},
	} {
		fmt.Fprintf(&b, "**%s**\n\n| Name | Number | Status | Retry | Who can fix it | Meaning "+
			"|\n|---|---|---|---|---|---|\n", part.title)
		for i := range part.entries {
			e := &part.entries[i]
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %d | %s | %s | %s |\n", e.Slug, e.Slug, e.numbers(), e.Status, e.rule(),
				e.Fault, cell(e.Summary))
		}
		b.WriteByte('\n')
	}
	for _, e := range Catalog() {
		e = e.Named(variable)
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", e.Slug, e.Summary)
		fmt.Fprintf(&b, "* **What to do** (%s): %s\n", e.Fault, e.Action)
		fmt.Fprintf(&b, "* **What the proxy does**: %s\n", e.Automatic)
		fmt.Fprintf(&b, "* **On the wire**: %s\n\n", e.Wire)
		b.WriteString("| Number | Status | `type` | `code` | Retry | Origin | Charge | Source " +
			"|\n|---|---|---|---|---|---|---|---|\n")
		fmt.Fprintf(&b, "| %s | %d | `%s` | `%s` | %s | %s | %s | %s |\n\n", e.numbers(), e.Status, e.Type, e.Word(),
			e.rule(), join(e.Origins), e.Charge, e.Source)
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

// numbers returns the number of e with its aliases in parentheses.
func (e *Entry) numbers() string {
	s := strconv.Itoa(e.Number)
	if len(e.Aliases) == 0 {
		return s
	}
	aliases := make([]string, len(e.Aliases))
	for i, n := range e.Aliases {
		aliases[i] = strconv.Itoa(n)
	}
	return s + " (" + strings.Join(aliases, ", ") + ")"
}

// rule returns the retry rule of e for people.
func (e *Entry) rule() string {
	switch {
	case e.Code == Unclassified:
		return "once if 5xx or 429"
	case e.Retry == RetryAfterDelay:
		return "after " + e.Delay.String()
	case e.Retry == RetryAtReset:
		return "at the reset"
	default:
		return string(e.Retry)
	}
}

// cell makes s safe inside a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func join[T ~string](all []T) string {
	s := make([]string, len(all))
	for i, v := range all {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}
