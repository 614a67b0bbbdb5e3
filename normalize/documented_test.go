package normalize

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
)

// A documentedFailure is one row of testdata/documented.jsonl: the failures of Workers AI and of AI Gateway that
// Cloudflare documents or that public reports name, as of the date in the file's first row.
type documentedFailure struct {
	AsOf   string `json:"as_of"`
	Code   int    `json:"code"`
	Status int    `json:"status"`
	Text   string `json:"text"`
	Expect string `json:"expect"`
	Want   int    `json:"want_status"` // of the envelope
}

// Each row is served in the shape of Workers AI and in that of AI Gateway.
func TestDocumentedFailures(t *testing.T) {
	file, err := os.Open("testdata/documented.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var d documentedFailure
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if d.AsOf != "" {
			continue
		}
		n++
		text, _ := json.Marshal(d.Text)
		bodies := map[string]string{
			"gateway": fmt.Sprintf(`{"success":false,"result":[],"messages":[],"error":[{"code":%d,"message":%s}],`+
				`"name":"AiGatewayError","httpCode":%d,"internalCode":%d,"message":%s,"description":%s}`,
				d.Code, text, d.Status, d.Code, text, text),
			"model layer": fmt.Sprintf(`{"errors":[{"message":%s,"code":%d}],"success":false,"result":{},`+
				`"messages":[]}`,
				text, d.Code),
		}
		if d.Code == 0 {
			bodies = map[string]string{
				"object": `{"success":false,"error":{"message":` + string(text) + `}}`,
				"string": `{"success":false,"error":` + string(text) + `}`,
				"array":  `{"success":false,"error":[{"message":` + string(text) + `}]}`,
				"alone":  `{"message":` + string(text) + `}`,
				"text":   `{"description":` + string(text) + `}`,
			}
		}
		for shape, body := range bodies {
			f := Classify(d.Status, http.Header{"Content-Type": {"application/json"}}, []byte(body))
			if f.Code.String() != d.Expect || f.HTTPStatus() != d.Want {
				t.Errorf("%d %d %q as %s: got %s with %d, want %s with %d",
					d.Code, d.Status, d.Text, shape, f.Code, f.HTTPStatus(), d.Expect, d.Want)
			}
			if f.Unclassified {
				t.Errorf("%d %q: got it as unclassified (%s), want it known", d.Code, d.Text, f.Code)
			}
		}
	}
	if n < 50 {
		t.Errorf("got %d rows, want at least 50", n)
	}
}
