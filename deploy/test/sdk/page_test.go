package sdk

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/test/sdk/SDKS.md and MATRIX.md, and README's table")

const pageHead = `# What the users of SDKs see

Each SDK below was run against the neuronward binary in front of the simulated Workers AI, by the tests in this
folder, which also make this page. The proxy's own retries were off (` + "`NEURONWARD_RETRIES=0`" + `), so every
repetition is the SDK's. Calls are those that reached the proxy. A code is what a program can branch on: OpenAI's
word or the slug of [the catalog](../../../normalize/ERRORS.md), and Workers AI's number in Cloudflare's own SDKs.

`

// What README has of the page stands between these.
const (
	tableBegins = "<!-- made by .ci/sdk -update -->\n"
	tableEnds   = "<!-- end -->\n"
)

// checkPage compares deploy/test/sdk/SDKS.md, and README's table, with what was seen, or writes them.
func checkPage(t *testing.T, seen [][]sight) {
	t.Helper()
	path := "SDKS.md"
	hold(t, path, contents(t, path), page(t, seen))
	path = filepath.Join("..", "..", "..", "README.md")
	old := contents(t, path)
	before, rest, begins := strings.Cut(old, tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("README.md has %q: %t, %q: %t, want both", tableBegins, begins, tableEnds, ends)
	}
	hold(t, path, old, before+tableBegins+summary(seen)+tableEnds+after)
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// hold compares a file with what it should be, or makes it so.
func hold(t *testing.T, path, old, fresh string) {
	t.Helper()
	if old == fresh {
		return
	}
	if !*update {
		t.Errorf("%s =\n%s\nwant, by .ci/sdk -update,\n%s", path, old, fresh)
		return
	}
	if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
}

// page is the whole of SDKS.md: a table of all, then a section for each client.
func page(t *testing.T, seen [][]sight) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageHead)
	table, titles := overview(t, seen)
	b.WriteString(table)
	for i, c := range clients {
		fmt.Fprintf(&b, "\n## %s, %s\n\n", titles[i], c.api)
		row(&b, "Situation", "What the caller gets", "Status", "Code", "Message", "Calls")
		row(&b, "---", "---", "---", "---", "---", "---")
		var notes []string
		for j, sc := range scenarios {
			s, mark := seen[i][j], ""
			if d, ok := c.differences[sc.name]; ok {
				if !slices.Contains(notes, d.why) {
					notes = append(notes, d.why)
				}
				mark = fmt.Sprintf(" [%d]", 1+slices.Index(notes, d.why))
			}
			gets := "the answer"
			if s.Class != "" {
				gets = "`" + s.Class + "`"
				if s.Class == anEvent {
					gets = anEvent
				}
				if s.Text != "" {
					gets = "the beginning, then " + gets
				}
			}
			status := ""
			if s.Status != 0 {
				status = strconv.Itoa(s.Status)
			}
			code := ""
			if s.Code != "" {
				code = "`" + s.Code + "`"
			}
			row(&b, sc.title+mark, gets, status, code, short(s.Message), strconv.Itoa(s.requests))
		}
		for n, why := range notes {
			fmt.Fprintf(&b, "\n[%d] %s\n", n+1, why)
		}
	}
	return b.String()
}

// overview has a row for each client; titles are their names with versions.
func overview(t *testing.T, seen [][]sight) (table string, titles []string) {
	t.Helper()
	var b strings.Builder
	row(&b, "SDK", "API", "Base URL", "Day used up", "No capacity at first", "Failure in a stream")
	row(&b, "---", "---", "---", "---", "---", "---")
	for i, c := range clients {
		titles = append(titles, c.title(t))
		row(&b, append([]string{titles[i], c.api, c.base}, outcomes(seen[i])...)...)
	}
	return b.String(), titles
}

// summary has a row for all clients that see the same.
func summary(seen [][]sight) string {
	var (
		b     strings.Builder
		order []string
	)
	names := map[string][]string{}
	for i, c := range clients {
		saw := strings.Join(outcomes(seen[i]), " | ")
		if name := "`" + c.name + "`"; !slices.Contains(names[saw], name) {
			names[saw] = append(names[saw], name)
		}
		if !slices.Contains(order, saw) {
			order = append(order, saw)
		}
	}
	row(&b, "SDK", "Day used up", "No capacity at first", "Failure in a stream")
	row(&b, "---", "---", "---", "---")
	for _, saw := range order {
		row(&b, strings.Join(names[saw], " "), saw)
	}
	return b.String()
}

// outcomes are the cells of a client for a day that is used up, no capacity at first and a failure in a stream.
func outcomes(seen []sight) []string {
	saw := func(name string) sight {
		return seen[slices.IndexFunc(scenarios, func(sc scenario) bool { return sc.name == name })]
	}
	spent, busy, midstream := saw("spent"), saw("busy"), saw("midstream-error")
	after := "an answer"
	if busy.Class != "" {
		after = "the failure"
	}
	inStream := "`" + midstream.Code + "`"
	if midstream.Code == "" {
		inStream = "no code, `" + midstream.Message + "`"
	}
	return []string{
		"`" + spent.Code + "`, " + times(spent.requests), after + ", " + times(busy.requests), inStream,
	}
}

func times(requests int) string {
	if requests == 1 {
		return "1 call"
	}
	return strconv.Itoa(requests) + " calls"
}

// short leaves a body out that an SDK puts into a message.
func short(message string) string {
	if head, _, ok := strings.Cut(message, `{"error":`); ok {
		return head + "*the whole body*"
	}
	return message
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
