package normalize

import (
	"net/http"
	"strings"
	"testing"
)

// What the body says of the HTTP status, of its ids and of the field at fault is taken where it is said first.
func TestFirstWordCounts(t *testing.T) {
	other := strings.Replace(fakeID, "0", "1", 1)
	for _, tt := range []struct {
		name, body string
		want       Code
		param, id  string
	}{
		{"two statuses", `{"message":"odd","httpCode":429,"status":404}`, UpstreamRateLimited, "", ""},
		{"a status before the text's", `{"statusCode":404,"message":"429: odd"}`, NoSuchRoute, "", ""},
		{"a status before the code's", `{"code":404,"status":429,"message":"odd"}`, NoSuchRoute, "", ""},
		{"the text's status", `{"message":"429: odd"}`, UpstreamRateLimited, "", ""},
		{"two texts' statuses", `{"errors":["429: odd","404: odd"]}`, UpstreamRateLimited, "", ""},
		{"the lowest status as a code", `{"code":400,"message":"odd"}`, BadInput, "", ""},
		{"the highest status as a code", `{"code":599,"message":"odd"}`, Unclassified, "", ""},
		{"a status that nobody knows", `{"message":"odd","status":418}`, Unclassified, "", ""},
		{
			"two ids", `{"message":"odd","requestId":"` + fakeID + `","request_id":"` + other + `"}`,
			UpstreamInternalError, "", fakeID,
		},
		{
			"an id behind the text and one outside",
			`{"errors":[{"message":"odd (` + fakeID + `)"}],"requestId":"` + other + `"}`, UpstreamInternalError, "",
			fakeID,
		},
		{
			"two texts with ids", `{"errors":["odd (` + fakeID + `)","odd (` + other + `)"]}`, UpstreamInternalError,
			"",
			fakeID,
		},
		{"an id that is none", `{"message":"odd","requestId":"x"}`, UpstreamInternalError, "", ""},
		{"two params", `{"errors":[{"message":"odd","param":"a"}],"param":"b"}`, UpstreamInternalError, "a", ""},
		{"a param that is no text", `{"message":"odd","param":5}`, UpstreamInternalError, "", ""},
		{"an error that is an array", `{"error":[{"message":"odd"}],"status":401}`, GatewayUnauthorized, "", ""},
		{"an error that is an object", `{"error":{"message":"odd"},"status":401}`, AuthenticationFailed, "", ""},
		{"a type that says nothing", `{"type":"error","message":"odd"}`, UpstreamInternalError, "", ""},
		{"a type that is a number", `{"type":5,"message":"odd"}`, UpstreamInternalError, "", ""},
	} {
		f := Classify(500, nil, []byte(tt.body))
		if f.Code != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, f.Code, tt.want)
		}
		if id := f.Upstream.RequestID; f.Param != tt.param || id != tt.id {
			t.Errorf("%s: got param %q, id %q; want %q, %q", tt.name, f.Param, id, tt.param, tt.id)
		}
	}
	if f := Classify(400, nil, []byte(`{"message":"odd","status":418}`)); f.HTTPStatus() != 400 || !f.Unclassified {
		t.Errorf("a status that only the body knows: got %d, unclassified %v; want 400, true", f.HTTPStatus(),
			f.Unclassified)
	}
}

func TestCodesThatAreNoNumbers(t *testing.T) {
	for code, want := range map[string]any{
		"5007": 5007, `"5007"`: "5007", "5007.0": 5007, "5007.5": nil, `"5007.5"`: "5007.5", `"odd"`: "odd",
		"true": nil, "null": nil, `""`: nil, "[1]": nil, "1e300": nil, "599": 599,
	} {
		f := Classify(500, nil, []byte(`{"errors":[{"code":`+code+`,"message":"odd"}]}`))
		if f.Upstream.Code != want {
			t.Errorf("%s: %v, want %v", code, f.Upstream.Code, want)
		}
	}
	for code, want := range map[string]int{
		"399": 0, "599": 0, "600": 600, "2147483647": 2147483647, "2147483648": 0,
		"-5007": 0,
	} {
		if f := Classify(500, nil, []byte(`{"code":`+code+`,"message":"odd"}`)); f.Number != want {
			t.Errorf("%s: got number %d, want %d", code, f.Number, want)
		}
	}
}

func TestWhatIsGatheredIsBounded(t *testing.T) {
	const known = `"AiError: Request is too large"`
	texts := func(before int) string { return `{"errors":[` + strings.Repeat(`"odd",`, before) + known + `]}` }
	deep := func(levels int) string {
		s := `{"code":5007,"message":"odd"}`
		for range levels {
			s = `{"message":` + quote("AiError: "+s) + `}`
		}
		return s
	}
	within := func(open, inner, end string, depth int) string {
		return strings.Repeat(open, depth) + inner + strings.Repeat(end, depth)
	}
	nested := func(depth int) string { return within(`{"error":`, `{"code":5007,"message":"odd"}`, "}", depth) }
	for _, tt := range []struct {
		name, body string
		want       Code
	}{
		{"the last text", texts(maxTexts - 1), RequestTooLarge},
		{"a text too many", texts(maxTexts), UpstreamInternalError},
		{"the last item", `{"errors":[` + strings.Repeat(`{},`, maxItems-1) + known + `]}`, RequestTooLarge},
		{"an item too many", `{"errors":[` + strings.Repeat(`{},`, maxItems) + known + `]}`, UpstreamInternalError},
		{"the innermost message", deep(maxNested), NoSuchModel},
		{"a message too deep", deep(maxNested + 1), UpstreamInternalError},
		{"the innermost object", nested(4), NoSuchModel},
		{"an object too deep", nested(5), UpstreamInternalError},
		{"the innermost array", within("[", known, "]", 4), RequestTooLarge},
		{"an array too deep", within("[", known, "]", 5), UpstreamInternalError},
		{"the innermost errors", within(`{"errors":`, known, "}", 4), RequestTooLarge},
		{"errors too deep", within(`{"errors":`, known, "}", 5), UpstreamInternalError},
		{"the innermost response", within(`{"response":{"error":`, known, "}}", 4), RequestTooLarge},
		{"a response too deep", within(`{"response":{"error":`, known, "}}", 5), UpstreamInternalError},
		{"no item at all", `[]`, UpstreamInternalError},
		{"a bare item", `[5007]`, UpstreamInternalError},
	} {
		if f := Classify(500, nil, []byte(tt.body)); f.Code != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, f.Code, tt.want)
		}
	}
	if f := Classify(500, nil, []byte(`{"message":"AiError: {\"code\":5007}"}`)); f.Code != NoSuchModel ||
		f.Message == "" {
		t.Errorf("JSON without a text in a message: got %s, %q; want a message", f.Code, f.Message)
	}
}

func TestEventStreamAsABody(t *testing.T) {
	for in, want := range map[string]string{
		"data:\n\n\n\ndata: a\n\ndata: b": "a", ": hi\n\ndata: a": "a", "id: 1\nretry: 2\ndata: a\ndata: b\n\n": "a\nb",
		"data: a\ndata: b\ndata: c": "a\nb\nc", "event: x\n\n": "", "id: 1": "",
	} {
		if data, ok := sseData([]byte(in)); !ok || string(data) != want {
			t.Errorf("%q: got %q, %v; want %q", in, data, ok, want)
		}
	}
	if _, ok := sseData([]byte("odd: data: a")); ok {
		t.Error("got a stream from an unknown field, want none")
	}
	for in, want := range map[string]string{"id: 1\n\ndata: a": "a", "\n\ndata: a\n": "a", "{x\n": "{x\n", "<x": "<x"} {
		if data := fieldsOf([]byte(in)).Data; string(data) != want {
			t.Errorf("%q: %q, want %q", in, data, want)
		}
	}
}

// What an array without anything to read says is the array itself; nothing else is quoted whole.
func TestWhatIsQuotedWhole(t *testing.T) {
	for body, want := range map[string]string{
		"[object Object]": "[object Object]", "[5007]": "[5007]", `{"a":1}`: "", "{}": "", "[]": "", `[{"a":1}]`: "",
		`[[1]]`: "", `[1,{"code":5007}]`: "", `[1,{"code":"odd"}]`: "", `[1,"odd"]`: "odd",
	} {
		if f := Classify(500, nil, []byte(body)); f.Upstream.Message != want {
			t.Errorf("%s: %q, want %q", body, f.Upstream.Message, want)
		}
	}
}

// JSON and upstream's own texts are read as what they are even where they call themselves a page; other text is
// a page then.
func TestWhatCallsItselfAPage(t *testing.T) {
	for body, want := range map[string]Code{
		`{"errors":[{"code":3040,"message":"x"}]}`: OutOfCapacity, `"3040: x"`: OutOfCapacity,
		"AiError: 3040: x": OutOfCapacity, "3040: x": EdgeRejected, "Sorry": EdgeRejected,
	} {
		if f := Classify(403, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)); f.Code != want {
			t.Errorf("%s: %s, want %s", body, f.Code, want)
		}
	}
	if f := Classify(403, http.Header{"Content-Type": {"text/plain"}}, []byte("Sorry")); f.Code != PermissionDenied {
		t.Errorf("plain text: got %s, want %s", f.Code, PermissionDenied)
	}
}
