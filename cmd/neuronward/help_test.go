package main

import (
	"bytes"
	"strings"
	"testing"
)

// Help is read on terminals of 80 columns, and shows how a command is called.
func TestHelpFitsATerminal(t *testing.T) {
	calls := [][]string{{"-h"}}
	for _, c := range commands() {
		calls = append(calls, []string{c.name, "-h"})
	}
	for _, args := range calls {
		name := strings.Join(args, " ")
		var out, errs bytes.Buffer
		equal(t, name+": exit", run(t.Context(), args, nil, strings.NewReader(""), &out, &errs), exitDone)
		equal(t, name+": stderr", errs.String(), "")
		for line := range strings.SplitSeq(out.String(), "\n") {
			if len([]rune(line)) > textWidth {
				t.Errorf("%s: got %d columns, want %d at most: %s", name, len([]rune(line)), textWidth, line)
			}
		}
		contains(t, name, out.String(), "Usage:\n\n  neuronward ")
	}
}

func TestParagraph(t *testing.T) {
	long := strings.Repeat("word ", 30)
	for line := range strings.SplitSeq(strings.TrimSuffix(paragraph("  first ", "    ", long), "\n"), "\n") {
		if len(line) > textWidth || strings.HasSuffix(line, " ") {
			t.Errorf("got %d columns, want %d at most and no space at the end: %q", len(line), textWidth, line)
		}
	}
	wide := strings.Repeat("x", 100)
	equal(t, "a word wider than the line", paragraph("", "  ", wide+" y"), wide+"\n  y\n")
}
