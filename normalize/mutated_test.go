package normalize

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An original is a failure whose entry is known, and what it says: its number, 0 where it has none, and its text.
type original struct {
	id     string
	want   []string // slugs
	status int
	header http.Header
	body   string
	number int
	text   string
}

// originals are the failures of all three files of testdata.
func originals(t *testing.T) (all []original) {
	t.Helper()
	add := func(id string, want []string, status int, h http.Header, body string) {
		o := original{id: id, want: want, status: status, header: h, body: body}
		e := read(h, decode(h, []byte(body)))
		if numbers := e.numbers(); len(numbers) > 0 {
			o.number = numbers[0]
		}
		if len(e.texts) > 0 {
			o.text = e.texts[0].string
		}
		all = append(all, o)
	}
	for _, c := range captures(t) {
		for _, w := range c.ways(t) {
			add(c.ID, []string{c.Expect}, w.status, w.header, w.body)
		}
	}
	eachLine(t, "testdata/cases.jsonl", func(c *publicCase) {
		if c.Status < 400 || c.Body == "" {
			return
		}
		h := http.Header{}
		for k, v := range c.Headers {
			h.Set(k, v)
		}
		var want []string
		switch names := c.Expect["name"].(type) {
		case string:
			want = []string{names}
		case []any:
			for _, n := range names {
				want = append(want, n.(string))
			}
		}
		if want != nil {
			add(c.ID, want, c.Status, h, c.Body)
		}
	})
	eachLine(t, "testdata/documented.jsonl", func(d *documentedFailure) {
		if d.AsOf == "" {
			problem := map[string]any{"message": d.Text}
			if d.Code != 0 {
				problem["code"] = d.Code
			}
			body, _ := json.Marshal(map[string]any{"success": false, "errors": []any{problem}})
			add(d.Text, []string{d.Expect}, d.Status, nil, string(body))
		}
	})
	return all
}

func eachLine[T any](t *testing.T, name string, do func(*T)) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		v := new(T)
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			t.Fatal(err)
		}
		do(v)
	}
}

// A variant is a failure that says the same in another way.
type variant struct {
	status int
	body   string
}

var codeField = regexp.MustCompile(`("(?:code|internalCode|error_code)"\s*:\s*)(\d{3,5})\b`)

// synonyms change the words of a text and leave its sense.
var synonyms = strings.NewReplacer(
	"Request", "The request", "request", "call", "exceeded", "went beyond", "not found", "not there",
	"Invalid", "Wrong", "invalid", "wrong", "Unauthorized", "No authorization", "limit", "maximum",
	"blocked", "stopped", "Rate", "Pace", "error", "fault", "failed", "went wrong",
	"No such", "There is no", "required", "needed", "capacity", "room",
	"Please", "Kindly", "is too large", "has too many bytes", "deprecated", "retired", "used up", "spent",
)

// inV4 writes what an original says as Workers AI's model layer does.
func inV4(number int, text string) string {
	problem := map[string]any{"message": text}
	if number != 0 {
		problem["code"] = number
	}
	body, _ := json.Marshal(map[string]any{"errors": []any{problem}, "success": false, "result": map[string]any{}})
	return string(body)
}

// kinds make variants of an original, and say how many of them have to be recognized, in percent: those that have
// neither the number nor the text of the original cannot be.
var kinds = []struct {
	name  string
	share float64
	of    func(o *original) []variant
}{
	{"codes as strings", 100, func(o *original) []variant {
		return []variant{{o.status, codeField.ReplaceAllString(o.body, `$1"$2"`)}}
	}},
	{"prefix doubled", 100, func(o *original) (all []variant) {
		for _, prefix := range []string{"AiError: AiError: ", "InferenceUpstreamError: AiError: ", "Error: AiError: "} {
			if o.text != "" {
				all = append(all, variant{o.status, inV4(o.number, prefix+o.text+" ("+fakeID+")")})
			}
		}
		return all
	}},
	{"another shape", 99, func(o *original) (all []variant) {
		for _, s := range shapes {
			if o.text != "" && s.coded == (o.number != 0) && !strings.ContainsAny(o.text, "\"'\\\n") {
				all = append(all, variant{o.status, s.body(o.text, strconv.Itoa(o.number))})
			}
		}
		return all
	}},
	{"another status", 96, func(o *original) (all []variant) {
		for _, status := range []int{400, 403, 404, 409, 429, 500, 502} {
			all = append(all, variant{status, o.body})
		}
		return all
	}},
	{"truncated", 94, func(o *original) (all []variant) {
		for _, percent := range []int{60, 75, 90, 97} {
			all = append(all, variant{o.status, o.body[:len(o.body)*percent/100]})
		}
		return all
	}},
	{"other words", 92.5, func(o *original) []variant {
		return []variant{{o.status, inV4(o.number, synonyms.Replace(o.text))}}
	}},
	{"another language", 80, func(o *original) (all []variant) {
		for _, text := range []string{
			"Der Aufruf konnte nicht bearbeitet werden.", "リクエストを処理できませんでした。", "La requête n'a pas abouti.",
		} {
			all = append(all, variant{o.status, inV4(o.number, text)})
		}
		return all
	}},
}

func TestMadeVariants(t *testing.T) {
	all := originals(t)
	for _, kind := range kinds {
		right, n := 0, 0
		var wrong []string
		for i := range all {
			o := &all[i]
			for _, v := range kind.of(o) {
				n++
				f := Classify(v.status, o.header, []byte(v.body))
				if slices.Contains(o.want, f.Code.String()) {
					right++
					continue
				}
				wrong = append(wrong, o.id+" as "+strconv.Itoa(v.status)+": got "+f.Code.String()+" by "+
					string(f.MatchedBy)+", want "+strings.Join(o.want, " or ")+": "+v.body[:min(len(v.body), 150)])
			}
		}
		share := 100 * float64(right) / float64(n)
		t.Logf("%-16s %4d of %4d: %5.1f %%", kind.name, right, n, share)
		if share < kind.share {
			t.Errorf("%s: got %.1f %% recognized, want %.1f %%:\n%s", kind.name, share, kind.share,
				strings.Join(wrong, "\n"))
		}
	}
}
