package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fixtures = "../testdata/documented.jsonl"

func TestPageWithDifferences(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if got := run([]string{"-fixtures", fixtures, "testdata/page.mdx"}, &out, &errs); got != exitDifferent {
		t.Errorf("got exit code %d, want %d: %s", got, exitDifferent, &errs)
	}
	const want = `testdata/page.mdx: 11 rows, 2 not in the catalog, 1 answered otherwise

Not in the catalog:

LINE  CODE  STATUS  NOW                         TEXT
15    3999  429     upstream_rate_limited, 429  Too many jobs | of ${model} wait
25    -     403     permission_denied, 403      The moon is in the wrong house

Answered otherwise:

LINE  CODE  STATUS  NOW           TEXT
14    3008  499     aborted, 408  Request was aborted
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The fixtures say of these rows what the answer is. Statuses are 400 to 599, and codes are above.
func TestPageWithoutDifferences(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	const text = "|code|HTTP|text|\n|---|---|---|\n|2016|424|Prompt blocked due to security configurations|\n" +
		"|3040|429|No more data centers|\n|3040 (429)|see 3040|No more data centers|\n" +
		"|3040|200|No more data centers|\nA line behind the table names 4711.\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if got := run([]string{"-fixtures", fixtures, page}, &out, &errs); got != exitSame {
		t.Errorf("got exit code %d, want %d: %s", got, exitSame, &errs)
	}
	if want := page + ": 4 rows, 0 not in the catalog, 0 answered otherwise\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestPagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	bare := filepath.Join(t.TempDir(), "bare.md")
	if err := os.WriteFile(bare, []byte("|Setting|Meaning|\n|---|---|\n|1234|429|\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no page":                {nil, "Usage: "},
		"a page that is missing": {[]string{"-fixtures", fixtures, "missing.md"}, "missing.md: no such file"},
		"no such table":          {[]string{"-fixtures", fixtures, bare}, "has no table with a code and an HTTP"},
		"no fixtures":            {[]string{"-fixtures", "missing.jsonl", bare}, "missing.jsonl: no such file"},
		"fixtures of no JSON":    {[]string{"-fixtures", bare, bare}, "invalid character"},
	} {
		var out, errs bytes.Buffer
		if got := run(c.args, &out, &errs); got != exitUnread {
			t.Errorf("%s: got exit code %d, want %d", name, got, exitUnread)
		}
		if !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: got %q, want %q in it", name, &errs, c.want)
		}
	}
}
