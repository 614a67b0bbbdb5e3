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
repetition is the SDK's. Requests are those that reached the proxy. A code is what a program can branch on: OpenAI's
word or the slug of [the catalog](ERRORS.md), and Workers AI's number in Cloudflare's own SDKs.

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
	table, _ := overview(t, seen, false)
	hold(t, path, old, before+tableBegins+table+tableEnds+after)
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
	table, titles := overview(t, seen, true)
	b.WriteString(table)
	for i, c := range clients {
		fmt.Fprintf(&b, "\n## %s, %s\n\n", titles[i], c.api)
		row(&b, "Situation", "What the caller gets", "Status", "Code", "Message", "Requests")
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
func overview(t *testing.T, seen [][]sight, urls bool) (table string, titles []string) {
	t.Helper()
	var b strings.Builder
	line := func(sdk, api, url string, rest ...string) {
		cells := []string{sdk, api}
		if urls {
			cells = append(cells, url)
		}
		row(&b, append(cells, rest...)...)
	}
	line("SDK", "API", "Base URL", "Day used up", "No capacity at first", "Failure in a stream")
	line("---", "---", "---", "---", "---", "---")
	for i, c := range clients {
		titles = append(titles, c.title(t))
		saw := func(name string) sight {
			return seen[i][slices.IndexFunc(scenarios, func(sc scenario) bool { return sc.name == name })]
		}
		spent, busy, midstream := saw("spent"), saw("busy"), saw("midstream-error")
		after := "an answer"
		if busy.Class != "" {
			after = "the failure"
		}
		inStream := "code `" + midstream.Code + "`"
		if midstream.Code == "" {
			inStream = "no code, `" + midstream.Message + "`"
		}
		line(titles[i], c.api, c.base, fmt.Sprintf("`%s`, %s", spent.Code, times(spent.requests)),
			after+", "+times(busy.requests), inStream)
	}
	return b.String(), titles
}

func times(requests int) string {
	if requests == 1 {
		return "1 request"
	}
	return strconv.Itoa(requests) + " requests"
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
