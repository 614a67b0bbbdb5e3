package sdktest

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

var update = flag.Bool("update", false, "write normalize/SDKS.md")

const pageHead = `# What the users of SDKs see

Each SDK below was run against the neuronward binary in front of the simulated Workers AI, by the tests in [sdktest](sdktest), which
also make this page. The proxy's own retries were off (` + "`NEURONWARD_RETRIES=0`" + `), so every repetition is the SDK's. Requests are
those that reached the proxy. A code is what a program can branch on: OpenAI's word or the slug of [the catalog](ERRORS.md), and
Workers AI's number in Cloudflare's own SDKs.

`

// checkPage compares normalize/SDKS.md with what was seen, or writes it.
func checkPage(t *testing.T, seen [][]sight) {
	t.Helper()
	path := filepath.Join("..", "SDKS.md")
	fresh := page(t, seen)
	if *update {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != fresh {
		t.Errorf("normalize/SDKS.md is stale: run go test -update in normalize/sdktest. It would be:\n%s", fresh)
	}
}

// page is the whole of SDKS.md: a table of all, then a section for each client.
func page(t *testing.T, seen [][]sight) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageHead)
	row(&b, "SDK", "API", "Base URL", "Day used up", "No capacity at first", "Failure in a stream")
	row(&b, "---", "---", "---", "---", "---", "---")
	titles := make([]string, len(clients))
	for i, c := range clients {
		titles[i] = c.title(t)
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
		row(&b, titles[i], c.api, c.base, fmt.Sprintf("`%s`, %s", spent.Code, times(spent.requests)), after+", "+times(busy.requests), inStream)
	}
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
