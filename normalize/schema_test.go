package normalize

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var envelopeSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	raw, err := os.ReadFile("envelope.schema.json")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("envelope.schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("envelope.schema.json")
})

// checkEnvelope validates the envelope of f and reads it back.
func checkEnvelope(t *testing.T, f *Failure) {
	t.Helper()
	body := f.Append(nil)
	checkSchema(t, body)
	if !bytes.HasPrefix(body, []byte(`{"error":{"message":"`)) {
		t.Errorf("got %.60s, want error as the first key", body)
	}
	again, ok := Parse(body)
	if !ok {
		t.Fatalf("got no failure from Parse of %s, want one", body)
	}
	if again.Code != f.Code {
		t.Errorf("Parse gives %s, want %s", again.Code, f.Code)
	}
	if second := again.Append(nil); !bytes.Equal(body, second) {
		t.Errorf("read back and written again: got\n%s\nwant\n%s", second, body)
	}
}

func checkSchema(t *testing.T, body []byte) {
	t.Helper()
	schema, err := envelopeSchema()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if err := schema.Validate(v); err != nil {
		t.Fatalf("%v\nin %s", err, body)
	}
}

// checkMessage asserts what holds for the texts of every failure that Classify returns.
func checkMessage(t *testing.T, f *Failure) {
	t.Helper()
	if f.Resolved().Message == "" || f.Upstream == nil {
		t.Fatalf("got message %q, upstream %v; want both", f.Resolved().Message, f.Upstream)
	}
	for _, s := range []string{f.Message, f.Upstream.Message, f.Param} {
		if len(s) > maxMessage {
			t.Errorf("got %d bytes, want %d at most: %q", len(s), maxMessage, s)
		}
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("got %q, want valid text on one line", s)
		}
	}
}
