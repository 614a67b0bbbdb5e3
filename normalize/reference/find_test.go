package reference

import (
	"encoding/json"
	"html"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
)

func names(codes []normalize.Code) (all []string) {
	for _, c := range codes {
		all = append(all, c.String())
	}
	return all
}

func TestFind(t *testing.T) {
	t.Parallel()
	const line = `{"time":"2026-11-30","level":"WARN","msg":"call failed","name":"out_of_capacity","number":1}`
	for text, want := range map[string]struct {
		as    string
		names string // "" for none; "…" behind the first: there are more
	}{
		"account_limited":     {Name, "account_limited"},
		" Account_Limited, ":  {Name, "account_limited"},
		`error.name: timeout`: {"", ""},
		`name="timeout"`:      {Name, "timeout"},
		"3036":                {Number, "account_limited"},
		"error code: 4006":    {"another number for 3036", "account_limited"},
		"error code 1015":     {"another number for 971", "api_rate_limited"},
		"1104":                {"another number for 7009", "upstream_unavailable"},
		"7003":                {"a number", "no_such_route bad_input no_such_model upstream_internal_error"},
		"3030":                {"a number", "content_flagged context_window_exceeded bad_input"},
		"insufficient_quota": {
			"the error.code", "account_limited gateway_spend_limited gateway_no_credits client_budget_exhausted " +
				"priority_floor",
		},
		`"code": "content_filter"`: {"the error.code", "content_flagged"},
		"timeout_error":            {"the error.type", "timeout aborted"},
		"RESOURCE_EXHAUSTED":       {"another provider's word", "upstream_rate_limited"},
		"429":                      {"an HTTP status", "account_limited…"},
		"HTTP/2 408":               {"an HTTP status", "timeout aborted"},
		"HTTP/1.1 410 Gone":        {"an HTTP status", "model_deprecated"},
		"504":                      {"an HTTP status", "timeout"},
		"599":                      {"an HTTP status", "upstream_unclassified"},
		"200":                      {"", ""},
		"4711":                     {"", ""},
		"":                         {"", ""},
		"nothing":                  {"", ""},
		line:                       {LogLine, "out_of_capacity"},
		"app  | " + line:           {LogLine, "out_of_capacity"},
		"odd line\n" + line:        {LogLine, "out_of_capacity"},
		`time=1 msg="call failed" model="name=timeout \" name=timeout" name=bad_input`: {LogLine, "bad_input"},
		`time=1 msg="token refused" number=1015`:                                       {LogLine, "api_rate_limited"},
		`time=1 msg="call failed" name=`:                                               {NoFailure, ""},
		`time=1 msg=call status=200`:                                                   {NoFailure, ""},
		`{"time":"1","msg":"call","status":200}`:                                       {NoFailure, ""},
		`{"error":{"name":"timeout"}}`:                                                 {Envelope, "timeout"},
		`{"errors":[{"code":3040}]}`:                                                   {Message, "out_of_capacity"},
		"Capacity temporarily exceeded, please try again.":                             {Message, "out_of_capacity"},
		"Error: something else":                                                        {"", ""},
	} {
		got := Find(text)
		all := strings.Join(names(got.Codes), " ")
		first, more := strings.CutSuffix(want.names, "…")
		if got.As != want.as || more && !strings.HasPrefix(all, first+" ") || !more && all != first {
			t.Errorf("Find(%q): got %q: %s, want %q: %s", text, got.As, all, want.as, want.names)
		}
	}
}

// Whatever the catalog has as a name, a number or a word is found by it.
func TestFindFindsAll(t *testing.T) {
	t.Parallel()
	for _, e := range normalize.Catalog() {
		texts := []string{e.Slug, e.Word(), string(e.Type), strconv.Itoa(e.Status), strconv.Itoa(e.Number)}
		for _, n := range e.Aliases {
			texts = append(texts, strconv.Itoa(n))
		}
		for _, text := range texts {
			if text == "3030" || text == "8007" {
				continue // the text of these decides
			}
			if got := Find(text); !slices.Contains(got.Codes, e.Code) {
				t.Errorf("Find(%q): got %q: %q, want %s among them", text, got.As, names(got.Codes), e.Slug)
			}
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"4006":                   "account_limited",
		"MODEL_NOT_FOUND":        "no_such_model invalid_model_id model_not_allowed",
		"lora adapters":          "lora_unsupported",
		"batch  queue submitted": "",
		"<script>":               "",
		`time=1 msg="call failed" name=timeout number=3007`: "timeout",
	} {
		p, ok, err := Render(Request{Filter: filter, Accept: "application/json"})
		if !ok || err != nil {
			t.Fatalf("%s: got %t, %v, want a page", filter, ok, err)
		}
		var entries []struct{ Name string }
		if err := json.Unmarshal(p.Body, &entries); err != nil || entries == nil {
			t.Fatalf("%s: got %s (%v), want an array", filter, p.Body, err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name)
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("%s: got %q, want %q", filter, all, want)
		}
		page, _, err := Render(Request{Filter: filter, Accept: "text/html"})
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(page.Body), `<tr role="row" id=`); n != len(got) {
			t.Errorf("%s: got %d rows on the page, want %d", filter, n, len(got))
		}
		if value := `value="` + html.EscapeString(filter) + `"`; !strings.Contains(string(page.Body), value) {
			t.Errorf("%s: got a page without the filter, want %s in it", filter, value)
		}
		if strings.Contains(string(page.Body), "<script") {
			t.Errorf("%s: got the filter as HTML, want it as text:\n%s", filter, page.Body)
		}
	}
}

func TestFilterShowsNoKey(t *testing.T) {
	t.Parallel()
	const key = "cfut_0123456789abcdefghijklmnopqrstuvwxyzABCD"
	for _, r := range []Request{{Filter: "Authorization: Bearer " + key}, {Topic: "429 " + key}, {Filter: key}} {
		for _, accept := range []string{"text/html", "text/plain", "application/json"} {
			r.Accept = accept
			if p, _, err := Render(r); err != nil || strings.Contains(string(p.Body), key) {
				t.Errorf("%+v: got %v and the key on the page, want it removed", r, err)
			}
		}
	}
}

// A filter of many words costs no more than one of a few: the page is open to everybody.
func TestFilterIsBounded(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("timeout ", 1<<16) + "nothing-has-this"
	p, ok, err := Render(Request{Filter: many, Accept: "application/json"})
	if !ok || err != nil {
		t.Fatalf("got %t, %v, want a page", ok, err)
	}
	if !strings.Contains(string(p.Body), `"timeout"`) {
		t.Errorf("got %s, want what the first %d bytes find", p.Body, maxFilter)
	}
	long := strings.Repeat("a", maxFilter+1)
	page, _, err := Render(Request{Filter: long, Accept: "text/html"})
	if err != nil || strings.Contains(string(page.Body), long) {
		t.Errorf("got %v and a filter of %d bytes on the page, want %d at most", err, len(long), maxFilter)
	}
}

// A page says first what to do, then who can fix it, what it costs and who refused, and shows an answer that is one.
func TestEntriesSayWhatToDoFirst(t *testing.T) {
	t.Parallel()
	setting := func(key string) string { return "SET_" + key }
	for _, e := range normalize.Catalog() {
		for _, accept := range []string{"text/html", "text/plain"} {
			p, _, err := Render(Request{Topic: e.Slug, Accept: accept, Setting: setting})
			if err != nil {
				t.Fatal(err)
			}
			body, at := strings.ToLower(string(p.Body)), 0
			for _, part := range []string{
				"what to do", "who can fix it", "costs", "neurons", "who refused", "error.code",
			} {
				i := strings.Index(body[at:], part)
				if i < 0 {
					t.Fatalf("%s as %s: got no %q in its place, want it", e.Slug, accept, part)
				}
				at += i
			}
			if strings.Contains(body, "{retr") || strings.Contains(body, "{up") {
				t.Errorf("%s as %s: got a key of a setting, want its name", e.Slug, accept)
			}
		}
		f, ok := normalize.Parse([]byte(example(&e, setting)))
		if !ok || f.Code != e.Code {
			t.Errorf("%s: got %v from the example, want its own entry", e.Slug, f)
		}
	}
}
