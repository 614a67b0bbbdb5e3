package normalize

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"testing"
)

// A publicCase is one public report of testdata/cases.jsonl with the answer that a caller should get. Those whose
// body is a failure are classified here; cmd/neuronward sends all of them through the binary.
type publicCase struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Expect  map[string]any    `json:"expect"`
}

// one returns what a case expects under key: one value, or any of a list.
func (c *publicCase) allows(key string, got any) bool {
	want, ok := c.Expect[key]
	if !ok {
		return true
	}
	if list, ok := want.([]any); ok {
		return slices.Contains(list, got)
	}
	return want == got
}

func TestPublicCases(t *testing.T) {
	file, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c publicCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Status < 400 || c.Body == "" && c.Headers["cf-aig-event-id"] == "" {
			continue
		}
		n++
		t.Run(c.ID, func(t *testing.T) {
			h := http.Header{}
			for k, v := range c.Headers {
				h.Set(k, v)
			}
			f := Classify(c.Status, h, []byte(c.Body))
			f.OursRefused()
			r := f.Resolved()
			for key, got := range map[string]any{
				"name": f.Code.String(), "number": float64(r.Number), "status": float64(r.Status),
				"fault": string(r.Fault), "retryable": f.Retryable(),
			} {
				if !c.allows(key, got) {
					t.Errorf("%s: got %v, want %v (by %s)", key, got, c.Expect[key], r.MatchedBy)
				}
			}
		})
	}
	if n < 30 {
		t.Errorf("got %d cases, want at least 30", n)
	}
}
