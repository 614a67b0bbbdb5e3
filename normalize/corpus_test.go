package normalize

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// A capture is one real failure of testdata/upstream_errors.jsonl.
type capture struct {
	ID          string            `json:"id"`
	Expect      string            `json:"expect"`
	Status      *int              `json:"status"`
	ContentType *string           `json:"content_type"`
	Headers     map[string]string `json:"headers"`
	Body        string            `json:"body"`
}

func captures(t testing.TB) []capture {
	t.Helper()
	file, err := os.Open("testdata/upstream_errors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []capture
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var c capture
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 96 {
		t.Fatalf("got %d captures, want 96 at least", len(all))
	}
	return all
}

func (c *capture) header() http.Header {
	h := http.Header{}
	for k, v := range c.Headers {
		h.Set(k, v)
	}
	if c.ContentType != nil {
		h.Set("Content-Type", *c.ContentType)
	}
	return h
}

func (c *capture) isJSON() bool {
	b := strings.TrimSpace(c.Body)
	return strings.HasPrefix(b, "{") || strings.HasPrefix(b, `"`)
}

// served is one way in which a capture may reach the proxy.
type served struct {
	name   string
	status int
	header http.Header
	body   string
}

func (c *capture) ways(t testing.TB) []served {
	code, ok := Lookup(c.Expect)
	if !ok {
		t.Fatalf("%s: got expect %q, want a slug", c.ID, c.Expect)
	}
	if c.Status != nil {
		bare := c.header()
		bare.Del("Content-Type")
		return []served{
			{"as captured", *c.Status, c.header(), c.Body},
			{"without content type", *c.Status, bare, c.Body},
		}
	}
	plain := c.header()
	plain.Set("Content-Type", "text/plain")
	ways := []served{{"as 500 text/plain", 500, plain, c.Body}}
	if c.isJSON() {
		h := c.header()
		h.Set("Content-Type", "application/json")
		ways = append(ways, served{"with the catalog's status as JSON", code.Entry().Status, h, c.Body})
	}
	return ways
}

func TestClassifyCaptures(t *testing.T) {
	for _, c := range captures(t) {
		for _, w := range c.ways(t) {
			t.Run(c.ID+" "+w.name, func(t *testing.T) {
				f := Classify(w.status, w.header, []byte(w.body))
				if f.Code.String() != c.Expect {
					t.Fatalf("%s by %s, want %s", f.Code, f.MatchedBy, c.Expect)
				}
				if f.Unclassified || f.Number != 0 {
					t.Errorf("got unclassified %v with number %d, want false and 0", f.Unclassified, f.Number)
				}
				if f.HTTPStatus() != f.Code.Entry().Status {
					t.Errorf("status %d, want the catalog's %d", f.HTTPStatus(), f.Code.Entry().Status)
				}
				if f.Upstream == nil || f.Upstream.Status != w.status {
					t.Errorf("got upstream %+v, want status %d", f.Upstream, w.status)
				}
				checkMessage(t, f)
				checkEnvelope(t, f)
				if testing.Verbose() {
					t.Logf("%-8s %v %q", f.MatchedBy, f.Upstream.Code, f.Message)
				}
			})
		}
	}
}

// A capture that came with status 200 must be seen as the failure that it is.
func TestCapturesInSuccess(t *testing.T) {
	n := 0
	for _, c := range captures(t) {
		if c.Status == nil || *c.Status != http.StatusOK {
			continue
		}
		n++
		if strings.HasPrefix(c.Body, "data:") {
			event, _, _ := strings.Cut(c.Body, "\n\n")
			if f := ClassifyEvent([]byte(event)); f == nil || f.Code.String() != c.Expect {
				t.Errorf("%s as an event: got %v, want %s", c.ID, f, c.Expect)
			}
		} else if !IsFailure([]byte(c.Body)) {
			t.Errorf("%s: got no failure from IsFailure, want one", c.ID)
		}
	}
	if n < 4 {
		t.Errorf("got %d captures with status 200, want at least 4", n)
	}
}
