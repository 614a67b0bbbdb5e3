package measure

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/jsonscan"
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
		{name: "spaces everywhere", body: " \n{ \"model\" : \"m\" , \"stream\" : true } \r\n", want: JSON{Model: "m", Stream: true}},
		{name: "escaped name", body: `{"mod\u0065l":"m"}`, want: JSON{Model: "m"}},
		{name: "escaped value", body: `{"model":"\u006d\/x"}`, want: JSON{Model: "m/x"}},
		{name: "other case is another field", body: `{"Model":"m","STREAM":true}`},
		{name: "both names of a limit", body: `{"max_tokens":5,"max_completion_tokens":9}`},
		{name: "negative max_tokens", body: `{"max_tokens":-1}`},
		{name: "null max_tokens", body: `{"max_tokens":null}`},
		{name: "max_tokens beyond all integers", body: `{"max_tokens":1e99}`},
		{name: "a number as a string", body: `{"max_tokens":"5"}`},
		{name: "stream as a string", body: `{"stream":"true"}`},
		{name: "names inside other values", body: `{"x":{"model":"a","model":"b"},"y":[{"stream":true}],"model":"m"}`, want: JSON{Model: "m"}},
		{name: "invalid UTF-8 in a string", body: "{\"prompt\":\"\xff\xfe\",\"model\":\"m\"}", want: JSON{Model: "m"}},
		{name: "lone surrogate", body: `{"prompt":"\ud800"}`},
		{name: "5 MB string", body: `{"prompt":"` + strings.Repeat("x", 5<<20) + `","model":"m"}`, want: JSON{Model: "m"}},
		{name: "nearly too deep", body: `{"x":` + nearlyDeep + `}`},
		{name: "every kind of value", body: `{"a":[1,-0,0.5,1e3,1E+3,-1.5e-7,true,false,null,"\"\\\/\b\f\n\r\t",{},[]]}`},
		{name: "input of run", nested: true, body: `{"model":"m","input":{"stream":true,"max_tokens":7}}`, want: JSON{Model: "m", Stream: true}},
		{name: "input of run as text", nested: true, body: `{"model":"m","input":"stream"}`, want: JSON{Model: "m"}},
		{name: "input elsewhere", body: `{"model":"m","input":{"stream":true}}`, want: JSON{Model: "m"}},
		{name: "one model in two places", nested: true, body: `{"model":"m","input":{"model":"m"}}`, want: JSON{Model: "m"}},

		{name: "model twice", body: `{"model":"a","model":"a"}`, field: "model"},
		{name: "model twice, once escaped", body: `{"model":"a","\u006dodel":"b"}`, field: "model"},
		{name: "stream twice", body: `{"stream":true,"stream":false}`, field: "stream"},
		{name: "max_tokens twice", body: `{"max_tokens":1,"max_tokens":100000}`, field: "max_tokens"},
		{name: "two models in two places", nested: true, body: `{"model":"a","input":{"model":"b"}}`, field: "model"},
		{name: "input twice", nested: true, body: `{"input":{},"input":{}}`, field: "input"},
		{name: "model is no string", body: `{"model":["m"]}`, field: "model"},
		{name: "model is null", body: `{"model":null}`, field: "model"},
		{name: "too deep", body: `{"x":` + deep + `}`, field: "-"},

		{name: "empty", body: ``, broken: true},
		{name: "two values", body: `{"model":"a"}{"model":"b"}`, broken: true},
		{name: "an array", body: `[]`, broken: true},
		{name: "a byte order mark", body: "\xef\xbb\xbf{}", broken: true},
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
					t.Errorf("want broken JSON, got %+v, %v", got, err)
				}
			case c.field != "":
				if !errors.As(err, &input) || (c.field != "-" && input.Field != c.field) {
					t.Errorf("want a complaint about %q, got %+v, %v", c.field, got, err)
				}
			case err != nil || got.Model != c.want.Model || got.Stream != c.want.Stream:
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

// FuzzScan holds Scan against encoding/json: what the one takes for an
// object the other does too, and both read the same model.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		chat, `{"model":"a","mod\u0065l":"b"}`, `{"a":[1,-0,0.5,1e3,true,false,null,"\u00e9"]}`, `{"model":"\ud83d\ude00"}`, `{} {}`, "{\"\xff\":1}", `{"input":{"stream":true}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, nested bool) {
		got, err := scan(body, nested)
		if _, ok := errors.AsType[*jsonscan.FieldError](err); ok {
			return // it says more than encoding/json would
		}
		first := bytes.TrimLeft(body, " \t\n\r")
		if valid := json.Valid(body) && bytes.HasPrefix(first, []byte("{")); valid != (err == nil) {
			t.Fatalf("encoding/json takes it: %v, Scan says %v", valid, err)
		}
		if err != nil || nested {
			return
		}
		var want map[string]any
		if json.Unmarshal(body, &want) != nil {
			t.Fatal("unreadable")
		}
		if model, _ := want["model"].(string); model != got.Model {
			t.Fatalf("model %q, want %q", got.Model, model)
		}
		if stream, _ := want["stream"].(bool); stream != got.Stream {
			t.Fatalf("stream %v, want %v", got.Stream, stream)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	for _, c := range []struct{ name, body string }{
		{"chat", chat},
		{"100KB", `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("All work and no play. ", 5000) + `"}]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := []byte(c.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := scan(body, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
