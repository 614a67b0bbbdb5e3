package filestore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota/filestore"
)

// sealed returns a file whose first line fits body.
func sealed(body string) []byte {
	sum := sha256.Sum256([]byte(body))
	return fmt.Appendf(nil, "neuronward-quota 2 %d sha256:%s\n%s\n", len(body), hex.EncodeToString(sum[:]), body)
}

// oneDay returns the body of a file of one day, in which only the given fields are set.
func oneDay(fields string) string { return bodyOf(`{"day":"2026-11-23",` + fields + `}`) }

func bodyOf(days string) string {
	return `{"latch":{"set":false,"at":"0001-01-01T00:00:00Z","until":"0001-01-01T00:00:00Z"},"days":[` + days + `]}`
}

// A file whose checksum is right, and whose figures cannot be: it is not believed, and not changed.
func TestAbsurdFiguresAreNotBelieved(t *testing.T) {
	const day = `{"day":"2026-11-23","pots":{}}`
	for name, c := range map[string]struct{ body, want string }{
		"negative spending": {
			oneDay(`"pots":{"account":{"limit":10,"spent":-5,"held":0}}`),
			"what is spent of the budget account on 2026-11-23 cannot be -5",
		},
		"negative holding": {
			oneDay(`"pots":{"account":{"limit":10,"spent":0,"held":-5}}`),
			"what is held of the budget account",
		},
		"a negative limit": {
			oneDay(`"pots":{"client:a":{"limit":-1,"spent":0,"held":0}}`),
			"the limit of the budget client:a",
		},
		"absurd spending": {
			oneDay(`"pots":{"account":{"limit":10,"spent":9223372036854775807,"held":0}}`),
			"cannot be 9223372036854775807",
		},
		"absurd externals": {
			oneDay(`"external":{"spent":9223372036854775807,"at":"2026-11-23T01:00:00Z"},"pots":{}`),
			"the external neurons",
		},
		"an absurd record": {
			oneDay(`"pots":{},"records":[{"model":"m","reported":9223372036854775807}]`),
			"what is reported of the model m",
		},
		"negative calls": {oneDay(`"pots":{},"records":[{"model":"m","calls":-1}]`), "the calls of the model m"},
		"an absurd hour": {oneDay(`"pots":{},"hours":[0,9223372036854775807]`), "what hour 1 spent"},
		"a negative price": {
			oneDay(`"pots":{},"price":{"nanodollars":-1,"since":"2026-11-23T01:00:00Z"}`), "the price on 2026-11-23",
		},
		"a negative charge": {
			oneDay(`"pots":{},"batches":{"8f0c":{"model":"m","charged":-1,"replica":"a"}}`),
			"what was charged for the batch 8f0c",
		},
		"1e300":               {oneDay(`"pots":{"account":{"limit":1e300,"spent":0,"held":0}}`), "1e300"},
		"a number as text":    {oneDay(`"pots":{"account":{"limit":"NaN","spent":0,"held":0}}`), "string"},
		"no number":           {oneDay(`"pots":{"account":{"limit":NaN,"spent":0,"held":0}}`), "invalid character"},
		"a zero byte":         {oneDay("\x00"), "invalid character"},
		"a day twice":         {bodyOf(day + "," + day), "2026-11-23 does not follow 2026-11-23"},
		"an unknown field":    {`{"days":[],"more":1}`, "unknown field"},
		"deep nesting":        {bodyOf(strings.Repeat("[", 100_000)), "exceeded max depth"},
		"more after its end":  {bodyOf(day) + "{}", "goes on after its end"},
		"JSON that is cut":    {bodyOf(day)[:60], "unexpected"},
		"an absurd date":      {bodyOf(`{"day":"99999-01-01","pots":{}}`), "is not a date"},
		"a list where a file": {"[]", "cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "neurons")
			data := sealed(c.body)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := filestore.Open(t.Context(), path, filestore.Options{})
			for _, want := range []string{c.want, "left as it was"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Open() = %.300v, want an error with %q", err, want)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != string(data) {
				t.Errorf("the file afterwards: got %.80q, %v, want it unchanged", got, err)
			}
		})
	}
}
