// Command documented compares a page of documentation with the error catalog: go run ./normalize/documented FILE.md
//
// It reads the tables of the page (Markdown or MDX) that have a column for a code and one for an HTTP status, and
// prints each row that the catalog does not know, and each that it answers with another status than the documented one.
// What testdata/documented.jsonl says of a row is on purpose, and is not printed. It exits with 1 if it has printed a
// row, and with 2 if it cannot read the page.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/neuronward/neuronward/normalize"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes.
const (
	exitSame      = 0
	exitDifferent = 1
	exitUnread    = 2
)

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("documented", flag.ContinueOnError)
	flags.SetOutput(stderr)
	fixtures := flags.String("fixtures", "normalize/testdata/documented.jsonl", "rows that are answered so on purpose")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage: go run ./normalize/documented [-fixtures FILE] PAGE.md …")
		flags.PrintDefaults()
	}
	if flags.Parse(args) != nil || flags.NArg() == 0 {
		flags.Usage()
		return exitUnread
	}
	agreed, err := readFixtures(*fixtures)
	if err != nil {
		fmt.Fprintln(stderr, "documented:", err)
		return exitUnread
	}
	different := false
	for _, name := range flags.Args() {
		page, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(stderr, "documented:", err)
			return exitUnread
		}
		rows := readTables(page)
		if len(rows) == 0 {
			fmt.Fprintf(stderr, "documented: %s has no table with a code and an HTTP status\n", name)
			return exitUnread
		}
		unknown, otherwise := compare(rows, agreed)
		report(stdout, name, len(rows), unknown, otherwise)
		different = different || len(unknown)+len(otherwise) > 0
	}
	if different {
		return exitDifferent
	}
	return exitSame
}

// A fixture is a row of testdata/documented.jsonl.
type fixture struct {
	Code   int
	Status int
}

func readFixtures(name string) (map[fixture]bool, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the rows that are answered so on purpose: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	agreed := map[fixture]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var f fixture
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		agreed[f] = true
	}
	return agreed, lines.Err()
}

// A difference is a row of a page and what the catalog makes of it.
type difference struct {
	row
	failure *normalize.Failure
}

// compare finds the rows whose code, or whose text where they have no code, the catalog does not know, and those that
// it answers with another status. What is agreed is on purpose.
func compare(rows []row, agreed map[fixture]bool) (unknown, otherwise []difference) {
	for _, r := range rows {
		status := 0
		if len(r.statuses) > 0 {
			status = r.statuses[0]
		}
		d := difference{r, normalize.Classify(cmp.Or(status, http.StatusInternalServerError), nil, r.body())}
		switch known := len(normalize.Meanings(r.code)) > 0; {
		case r.code == 0 && d.failure.MatchedBy == normalize.MatchedStatus, r.code != 0 && !known:
			unknown = append(unknown, d)
		case status != 0 && !slices.Contains(r.statuses, d.failure.HTTPStatus()) && !agreed[fixture{r.code, status}]:
			otherwise = append(otherwise, d)
		}
	}
	return unknown, otherwise
}

// body is a failure as the row documents it.
func (r *row) body() []byte {
	problem := map[string]any{"message": r.text}
	if r.code != 0 {
		problem["code"] = r.code
	}
	body, err := json.Marshal(map[string]any{"success": false, "errors": []any{problem}})
	if err != nil {
		panic(err) // there is nothing in it that JSON cannot say
	}
	return body
}

func report(w io.Writer, name string, rows int, unknown, otherwise []difference) {
	fmt.Fprintf(w, "%s: %d rows, %d not in the catalog, %d answered otherwise\n",
		name, rows, len(unknown), len(otherwise))
	for _, part := range []struct {
		title string
		all   []difference
	}{{"Not in the catalog", unknown}, {"Answered otherwise", otherwise}} {
		if len(part.all) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n\n", part.title)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "LINE\tCODE\tSTATUS\tNOW\tTEXT")
		for _, d := range part.all {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s, %d\t%s\n", d.line, orDash(d.code), orDash(d.statuses...),
				d.failure.Code, d.failure.HTTPStatus(), d.text)
		}
		_ = table.Flush() // to a terminal or into a pipe, as the rest
	}
}
