package measure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestScan(t *testing.T) {
	deep := strings.Repeat("[", jsonscan.MaxDepth+1) + strings.Repeat("]", jsonscan.MaxDepth+1)
	nearlyDeep := strings.Repeat("[", jsonscan.MaxDepth-1) + strings.Repeat("]", jsonscan.MaxDepth-1)
	for _, c := range []struct {
		name, body string
		nested     bool
		want       JSON
		field      string // of an jsonscan.FieldError
		broken     bool
	}{
		{name: "plain", body: `{"model":"m","stream":true,"max_tokens":5}`, want: JSON{Model: "m", Stream: true}},
		{
			name: "spaces everywhere", body: " \n{ \"model\" : \"m\" , \"stream\" : true } \r\n",
			want: JSON{Model: "m", Stream: true},
		},
		{name: "escaped name", body: `{"mod\u0065l":"m"}`, want: JSON{Model: "m"}},
		{name: "escaped value", body: `{"model":"\u006d\/x"}`, want: JSON{Model: "m/x"}},
		{name: "other case is another field", body: `{"Model":"m","STREAM":true}`},
		{name: "both names of a limit", body: `{"max_tokens":5,"max_completion_tokens":9}`},
		{name: "negative max_tokens", body: `{"max_tokens":-1}`},
		{name: "null max_tokens", body: `{"max_tokens":null}`},
		{name: "max_tokens beyond all integers", body: `{"max_tokens":1e99}`},
		{name: "a number as a string", body: `{"max_tokens":"5"}`},
		{name: "stream as a string", body: `{"stream":"true"}`},
		{
			name: "names inside other values",
			body: `{"x":{"model":"a","model":"b"},"y":[{"stream":true}],"model":"m"}`,
			want: JSON{Model: "m"},
		},
		{name: "invalid UTF-8 in a string", body: "{\"prompt\":\"\xff\xfe\",\"model\":\"m\"}", want: JSON{Model: "m"}},
		{name: "lone surrogate", body: `{"prompt":"\ud800"}`},
		{
			name: "5 MB string", body: `{"prompt":"` + strings.Repeat("x", 5<<20) + `","model":"m"}`,
			want: JSON{Model: "m"},
		},
		{name: "nearly too deep", body: `{"x":` + nearlyDeep + `}`},
		{name: "nearly too deep in the input", nested: true, body: `{"input":{"x":` + nearlyDeep + `}}`},
		{
			name: "every kind of value",
			body: `{"a":[1,-0,0.5,1e3,1E+3,-1.5e-7,true,false,null,"\"\\\/\b\f\n\r\t",{},[]]}`,
		},
		{
			name: "input of run", nested: true, body: `{"model":"m","input":{"stream":true,"max_tokens":7}}`,
			want: JSON{Model: "m", Stream: true},
		},
		{name: "input of run as text", nested: true, body: `{"model":"m","input":"stream"}`, want: JSON{Model: "m"}},
		{name: "input elsewhere", body: `{"model":"m","input":{"stream":true}}`, want: JSON{Model: "m"}},
		{
			name: "one model in two places", nested: true, body: `{"model":"m","input":{"model":"m"}}`,
			want: JSON{Model: "m"},
		},

		{name: "model twice", body: `{"model":"a","model":"a"}`, field: "model"},
		{name: "model twice, once escaped", body: `{"model":"a","\u006dodel":"b"}`, field: "model"},
		{name: "stream twice", body: `{"stream":true,"stream":false}`, field: "stream"},
		{name: "max_tokens twice", body: `{"max_tokens":1,"max_tokens":100000}`, field: "max_tokens"},
		{name: "a limit twice in it", body: `{"input":{"max_tokens":9,"\u006dax_tokens":1}}`, field: "max_tokens"},
		{name: "a limit taken back", body: `{"requests":[{"max_tokens":9,"max_tokens":null}]}`, field: "max_tokens"},
		{name: "steps twice", body: `{"steps":9,"steps":null}`, field: "steps"},
		{name: "two lists of requests", body: `{"requests":[],"requests":[]}`, field: "requests"},
		{name: "two inputs", body: `{"input":{},"input":{"max_tokens":9}}`, field: "input"},
		{name: "a batch in two places", body: `{"request_id":"a","input":{"request_id":"a"}}`, field: "request_id"},
		{name: "a batch that is a number", body: `{"request_id":8}`, field: "request_id"},
		{name: "a batch that is a list", body: `{"input":{"request_id":["a"]}}`, field: "request_id"},
		{name: "two models in two places", nested: true, body: `{"model":"a","input":{"model":"b"}}`, field: "model"},
		{name: "input twice", nested: true, body: `{"input":{},"input":{}}`, field: "input"},
		{name: "model is no string", body: `{"model":["m"]}`, field: "model"},
		{name: "model is null", body: `{"model":null}`, field: "model"},
		{name: "too deep in the input", nested: true, body: `{"input":{"x":[` + nearlyDeep + `]}}`, field: "-"},
		{name: "too deep", body: `{"x":` + deep + `}`, field: "-"},

		{name: "empty", body: ``, broken: true},
		{name: "two values", body: `{"model":"a"}{"model":"b"}`, broken: true},
		{name: "an array", body: `[]`, broken: true},
		{name: "half a byte order mark", body: "\xef\xbb{}", broken: true},
		{name: "UTF-16", body: "\xff\xfe{\x00}\x00", broken: true},
		{name: "cut in a name", body: `{"mod`, broken: true},
		{name: "cut after a name", body: `{"model"`, broken: true},
		{name: "cut after a colon", body: `{"model":`, broken: true},
		{name: "cut in a value", body: `{"model":"m`, broken: true},
		{name: "cut in an escape", body: `{"model":"\`, broken: true},
		{name: "cut in a \\u escape", body: `{"model":"\u00`, broken: true},
		{name: "unknown escape", body: `{"model":"\x"}`, broken: true},
		{name: "line break in a string", body: "{\"model\":\"a\nb\"}", broken: true},
		{name: "trailing comma", body: `{"a":1,}`, broken: true},
		{name: "no comma", body: `{"a":1 "b":2}`, broken: true},
		{name: "leading zero", body: `{"a":01}`, broken: true},
		{name: "half a number", body: `{"a":1.}`, broken: true},
		{name: "half an exponent", body: `{"a":1e}`, broken: true},
		{name: "a bare word", body: `{"a":yes}`, broken: true},
		{name: "single quotes", body: `{'a':1}`, broken: true},
		{name: "a comment", body: `{/*x*/"a":1}`, broken: true},
		{name: "NaN", body: `{"a":NaN}`, broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scan([]byte(c.body), c.nested)
			var input *jsonscan.FieldError
			switch {
			case c.broken:
				if err == nil || errors.As(err, &input) {
					t.Errorf("got %+v, %v, want broken JSON", got, err)
				}
			case c.field != "":
				if !errors.As(err, &input) || (c.field != "-" && input.Field != c.field) {
					t.Errorf("got %+v, %v, want a complaint about %q", got, err, c.field)
				}
			case err != nil:
				t.Errorf("got %v, want no error", err)
			case got.Model != c.want.Model || got.Stream != c.want.Stream:
				t.Errorf("got model %q, stream %v, want %q, %v", got.Model, got.Stream, c.want.Model, c.want.Stream)
			}
		})
	}
}

func TestMeasureBatchID(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"a poll", ` {"request_id":"8f0c","model":"m"}`, "8f0c"},
		{"escaped", `{"request\u005fid":"8\u0066"}`, "8f"},
		{"work beside it", `{"request_id":"8f0c","prompt":"x"}`, ""},
		{"a batch beside it", `{"request_id":"8f0c","requests":[]}`, ""},
		{"given twice", `{"request_id":"8f0c","request_id":"9"}`, ""},
		{"no string", `{"request_id":8}`, ""},
		{"a poll in the input", `{"model":"m","input":{"request_id":"8f0c"}}`, "8f0c"},
		{"work in the input", `{"request_id":"8f0c","input":{"prompt":"x"}}`, ""},
		{"work in the input's input", `{"input":{"request_id":"8f0c","input":{"prompt":"x"}}}`, ""},
		{"a text as the input", `{"request_id":"8f0c","input":"x"}`, ""},
		{"null", `{"request_id":null}`, ""},
		{"a submission", `{"requests":[{"prompt":"x"}]}`, ""},
		{"no object", `[]`, ""},
		{"nothing", ``, ""},
	} {
		if got := batchIDOf([]byte(c.body)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRejectIfBusy(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"nothing", `{}`, false},
		{"asked for", `{"options":{"rejectIfBusy":true}}`, true},
		{"in the input", `{"input":{"prompt":"x","options":{"rejectIfBusy":true}}}`, true},
		{"in any case", `{"OPTIONS":{"rejectifbusy":true}}`, true},
		{"in any case in the input", `{"Input":{"Options":{"rejectIfBusy":true}}}`, true},
		{"refused", `{"options":{"rejectIfBusy":false}}`, false},
		{"the last one counts", `{"options":{"rejectIfBusy":true,"rejectIfBusy":false}}`, false},
		{"null changes nothing", `{"options":{"rejectIfBusy":true,"rejectIfBusy":null}}`, true},
		{"two objects", `{"options":{"rejectIfBusy":true},"Options":{}}`, true},
		{"in another place", `{"rejectIfBusy":true,"requests":[{"options":{"rejectIfBusy":true}}]}`, false},
		{"no boolean", `{"options":{"rejectIfBusy":"true"}}`, false},
		{"options that are none", `{"options":true}`, false},
		{
			"the input counts only if all is well formed", `{"options":1,"input":{"options":{"rejectIfBusy":true}}}`,
			false,
		},
		{"an input that is a text", `{"options":{"rejectIfBusy":true},"input":"x"}`, true},
	} {
		got, err := scan([]byte(c.body), false)
		if err != nil || got.RejectIfBusy() != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.name, got.RejectIfBusy(), err, c.want)
		}
	}
}

// FuzzScan compares Scan with encoding/json: both take the same bodies for objects and read the same fields. All that
// is found is the same in whatever pieces a body lies.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		chat, `{"model":"a","mod\u0065l":"b"}`, `{"a":[1,-0,0.5,1e3,true,false,null,"\u00e9"]}`,
		`{"model":"\ud83d\ude00"}`,
		`{} {}`, "{\"\xff\":1}", `{"input":{"stream":true}}`, `{"request_id":"a","model":"m"}`,
		`{"options":{"rejectIfBusy":true},"input":{"options":{"rejectIfBusy":true}}}`,
		`{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}},{"source":{"data":"AA"}}]}]}`,
		`{"audio":{"body":[1,2]},"image":[[1],"x",{"url":"y"}],"size":"1x2","width":1e999}`,
		`{"model":"m","input":{"prompt":"x","max_tokens":"5"},"requests":[{"n":2}]}`,
		"\ufeff" + chat, " \r\n\ufeff\t" + chat, "\xef\xbb" + chat,
		"{\x00\"\x00}\x00", "\xff\xfe{\x00\"\x00}\x00", "\x00{\x00}", "\xfe\xff\x00{\x00}",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xaa\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
		`{"max_tokens":1,"max_tokens":900}`, `{"model":"m","model":null}`, `{"prompt":"x","prompt":"xxxxxxxx"}`,
		`{"messages":[],"messages":[{"role":"user","content":"x"}]}`, `{"n":1,"\u006e":9}`,
		`{"stream":false,"stream":true}`,
		`{"input":{"max_tokens":1},"input":{"max_tokens":900}}`, `{"input":{"request_id":"a"},"model":"m"}`,
		`{"request_id":"a","input":{"request_id":"b"}}`, `{"request_id":8}`, `{"request\u005fid":"\u0061"}`,
		`{"requests":[{"max_tokens":1,"max_tokens":null},{"input":{"n":3,"max_tokens":0}}]}`,
		`{"model":"m","input":{"model":"m","stream":true,"requests":[{"prompt":"x","max_tokens":9}]}}`,
		`{"max_tokens":1,"input":{"prompt":"x"}}`, `{"prompt":"x","input":{"prompt":"x","max_tokens":1}}`,
		`{"model":"m","input":{"prompt":"x","max_tokens":1},"max_tokens":null}`,
		`{"requests":[],"requests":[{"n":2}]}`, `{"max_tokens":1e3,"n":"2"}`, `{"max_tokens":" 1e3 ","n":1.5}`,
	} {
		for size := range uint8(3) {
			f.Add([]byte(seed), false, size*5)
			f.Add([]byte(seed), true, size*5)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, nested bool, size uint8) {
		for _, inputOnly := range []bool{false, nested} {
			o := Options{Nested: nested, InputOnly: inputOnly}
			whole, err := Scan(pieces(body), o)
			inPieces, piecesErr := Scan(cut(body, int(size)+1), o)
			if fmt.Sprint(piecesErr) != fmt.Sprint(err) {
				t.Fatalf("got %v in pieces of %d, want %v", piecesErr, size+1, err)
			}
			if err != nil {
				continue
			}
			compareLenient(t, bytes.TrimLeft(body, " \t\r\n\ufeff"), o, whole)
			if got, want := inPieces.RequestID(), whole.RequestID(); got != want {
				t.Errorf("got batch %q in pieces of %d, want %q", got, size+1, want)
			}
			inPieces.text, whole.text = nil, nil
			if !reflect.DeepEqual(inPieces, whole) {
				t.Errorf("in pieces of %d got %+v\nwant %+v", size+1, inPieces, whole)
			}
		}
		// What lenient readers skip in front of a body is skipped.
		text := bytes.TrimLeft(body, " \t\r\n\ufeff")
		got, err := Scan(pieces(body), Options{Nested: nested})
		if _, ok := errors.AsType[*jsonscan.FieldError](err); ok {
			return // it says more than encoding/json would
		}
		if valid := json.Valid(text) && bytes.HasPrefix(text, []byte("{")); valid != (err == nil) {
			t.Fatalf("got %v, want an object: %v", err, valid)
		}
		if err == nil {
			compareFields(t, body, text, nested, got)
		}
	})
}

// compareFields compares what was found in a body with what encoding/json reads in its text, which is what does not
// stand in front.
func compareFields(t *testing.T, body, text []byte, nested bool, got *JSON) {
	t.Helper()
	type options struct {
		Options struct{ RejectIfBusy bool }
	}
	var busy struct {
		options
		Input options
	}
	mistyped := json.Unmarshal(text, &busy) != nil
	want := busy.Options.RejectIfBusy || busy.Input.Options.RejectIfBusy && !mistyped
	if got.RejectIfBusy() != want {
		t.Errorf("got rejectIfBusy %v, want %v", got.RejectIfBusy(), want)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if input := fields["input"]; nested && bytes.HasPrefix(input, []byte("{")) {
		if part := body[got.InputFrom:got.InputTo]; !bytes.Equal(part, input) {
			t.Errorf("got input %q, want %q", part, input)
		}
		return // its fields count, too
	}
	var model string
	var stream bool
	_ = json.Unmarshal(fields["model"], &model) // another type leaves the zero value
	_ = json.Unmarshal(fields["stream"], &stream)
	if got.Model != model {
		t.Errorf("got model %q, want %q", got.Model, model)
	}
	if got.Stream != stream {
		t.Errorf("got stream %v, want %v", got.Stream, stream)
	}
	// What nothing else in the body can change.
	var prompt string
	if json.Unmarshal(fields["prompt"], &prompt) == nil && utf8.Valid(text) {
		q := got.Request(workload.TextToSpeech)
		if len(q.Parts) > 0 {
			q = q.Parts[len(q.Parts)-1] // what stands beside a batch
		}
		if characters := int64(len(utf16.Encode([]rune(prompt)))); q.Characters < characters {
			t.Errorf("got %d characters, want at least %d", q.Characters, characters)
		}
	}
}

// cut cuts a text into pieces of a size.
func cut(text []byte, size int) (p jsonscan.Pieces) {
	for piece := range slices.Chunk(text, size) {
		p = append(p, piece)
	}
	return p
}

func BenchmarkScan(b *testing.B) {
	long := strings.Replace(chat, "Hello", strings.Repeat("All work and no play. ", 5000), 1)
	for _, c := range []struct {
		name, body string
		count      bool
	}{
		{"chat", chat, false},
		{"chat, counted", chat, true},
		{"100KB", long, false},
		{"100KB, counted", long, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := []byte(c.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := Scan(pieces(body), Options{Count: c.count}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
