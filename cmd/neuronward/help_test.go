package main

import (
	"bytes"
	"strings"
	"testing"
)

// Help is read on terminals of 80 columns, and shows how a command is called.
func TestHelpFitsATerminal(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"serve", "-h"}, {"demo", "-h"}, {"explain", "-h"}, {"check", "-h"}, {"usage", "-h"}, {"healthcheck", "-h"}, {"version", "-h"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, strings.NewReader(""), &out, &errs); code != exitDone || errs.Len() > 0 {
			t.Errorf("%q: exit %d, stderr %q", args, code, errs.String())
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if len([]rune(line)) > textWidth {
				t.Errorf("%q: wider than %d columns: %s", args, textWidth, line)
			}
		}
		if !strings.Contains(out.String(), "Usage:\n\n  neuronward ") {
			t.Errorf("%q: the help shows no usage:\n%s", args, out.String())
		}
	}
}

func TestParagraph(t *testing.T) {
	long := strings.Repeat("word ", 30)
	for line := range strings.SplitSeq(strings.TrimSuffix(paragraph("  first ", "    ", long), "\n"), "\n") {
		if len(line) > textWidth || strings.HasSuffix(line, " ") {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	if got, want := paragraph("", "  ", strings.Repeat("x", 100)+" y"), strings.Repeat("x", 100)+"\n  y\n"; got != want {
		t.Errorf("a word wider than the line: %q", got)
	}
}
