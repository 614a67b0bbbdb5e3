package normalize

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference anew")

func TestReferenceIsCurrent(t *testing.T) {
	list, err := referenceJSON()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := referenceSchema()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{
		"ERRORS.md": referenceMarkdown(), "errors.json": list,
		"envelope.schema.json": schema,
	} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s (error %v) is not what the catalog makes, want it so: run go test ./normalize -update", name,
				err)
		}
	}
}

func TestReferenceHasASectionForEachEntry(t *testing.T) {
	page := string(referenceMarkdown())
	for _, e := range Catalog() {
		if n := strings.Count(page, "\n## "+e.Slug+"\n"); n != 1 {
			t.Errorf("got %d sections named %s, want 1", n, e.Slug)
		}
		if !strings.Contains(page, "](#"+e.Slug+") | "+e.numbers()) {
			t.Errorf("got no row for %s, want one", e.Slug)
		}
	}
}
