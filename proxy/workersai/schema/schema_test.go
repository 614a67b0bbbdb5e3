package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/neuronward/neuronward/proxy/workersai/schema"
)

// seeds are how many values are made of each schema.
const seeds = 12

// validator compiles raw for the test's own look at values, with nothing of the package's.
func validator(t *testing.T, raw []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		return schema.CompilePattern(pattern)
	})
	if err := c.AddResource("schema:///test", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema:///test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantValid fails the test unless raw is JSON that satisfies want.
func wantValid(t *testing.T, want *jsonschema.Schema, raw []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err == nil {
		err = want.Validate(v)
	}
	if err != nil {
		t.Errorf("%s: %v", raw, err)
	}
	if !utf8.Valid(raw) || bytes.ContainsRune(raw, '\n') {
		t.Errorf("%q: want UTF-8 on one line", raw)
	}
}

// lines returns the lines of a file.
func lines(t testing.TB, file string) []string {
	t.Helper()
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
}

// The schemas of testdata/public.jsonl are those of public documents.
func TestPublicSchemas(t *testing.T) {
	all := lines(t, "testdata/public.jsonl")
	for _, line := range all {
		var row struct {
			Name, From string
			Schema     json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		t.Run(row.Name, func(t *testing.T) {
			s, err := schema.Compile(row.Schema)
			if err != nil {
				t.Fatal(err)
			}
			want := validator(t, row.Schema)
			for seed := range uint64(seeds) {
				v, err := s.Value(seed)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				wantValid(t, want, v)
				if seed == 0 {
					t.Logf("%s", v)
				}
				if again, _ := s.Value(seed); !bytes.Equal(again, v) {
					t.Errorf("seed %d again = %s, want %s", seed, again, v)
				}
			}
		})
	}
	if len(all) < 30 {
		t.Errorf("%d schemas, want 30 at least", len(all))
	}
}

// Each keyword, alone and with others.
func TestKeywords(t *testing.T) {
	for _, doc := range lines(t, "testdata/keywords.jsonl") {
		s, err := schema.Compile([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		for seed := range uint64(seeds) {
			v, err := s.Value(seed)
			if err != nil {
				t.Errorf("%s, seed %d: %v", doc, seed, err)
				break
			}
			if strings.Contains(doc, `"items":[{"type":"string"}`) || strings.Contains(doc, `"exclusiveMinimum":true`) {
				continue // of older drafts that the schema does not name: the validator here refuses them
			}
			wantValid(t, validator(t, []byte(doc)), v)
		}
	}
}

// What no value satisfies ends, with an error.
func TestNone(t *testing.T) {
	for _, doc := range lines(t, "testdata/none.jsonl") {
		s, err := schema.Compile([]byte(doc))
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if v, err := s.Value(1); !errors.Is(err, schema.ErrNone) {
			t.Errorf("%s: got %s, error %v, want %v", doc, v, err, schema.ErrNone)
		}
	}
	for _, doc := range []string{
		`{`, `{"type":"any"}`, `{"$ref":"https://example.com/other.json"}`, `{"$ref":"#/nowhere"}`,
		`3`, `{"multipleOf":1e-300308}`,
	} {
		if _, err := schema.Compile([]byte(doc)); err == nil {
			t.Errorf("%s: got no error, want one", doc)
		}
	}
}

// Each of 40 schemas refers twice to the next one.
func TestReferencesThatDouble(t *testing.T) {
	raw := `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a0"}},"$defs":{`
	for i := range 40 {
		raw += fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
	}
	if _, err := schema.Compile([]byte(raw + `"a40":{"type":"object"}}}`)); err == nil {
		t.Error("got no error, want one: to validate a value takes years")
	}
}
