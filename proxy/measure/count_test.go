package measure

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// A body counts as its text without the space around values and without what is a picture or sound, however it lies in
// memory.
func TestPromptTokens(t *testing.T) {
	words := strings.Repeat("some words ", 50)
	base64 := mediatest.Base64Of(3000)
	for _, c := range []struct {
		name, body, text string
		more             int64
	}{
		{"a prompt", `{"prompt":"` + words + `"}`, `{"prompt":"` + words + `"}`, 0},
		{"escapes", `{"prompt":"\u4e2d\n\"x\ud83d\ude00"}`, "{\"prompt\":\"中\n\"x😀\"}", 0},
		{
			"space", strings.Repeat(" ", 300) + "{\n \"prompt\" : \"a  b\" , \"n\" : [ 1 ,\t2 ] }",
			`{"prompt":"a  b","n":[1,2]}`, 0,
		},
		{"a picture", `{"image":"` + base64 + `","prompt":"x"}`, `{"image":,"prompt":"x"}`, 0},
		{"pictures", `{"image":["` + base64 + `","` + base64 + `"]}`, `{"image":[,]}`, 0},
		{"a picture of bytes", `{"image":[1,2,3]}`, `{"image":}`, 0},
		{"no bytes of a picture", `{"image":[1,2,"a text",3]}`, `{"image":[1,2,"a text",3]}`, 0},
		{"text in a picture's place", `{"image":"` + words + `"}`, `{"image":"` + words + `"}`, 0},
		{"sound", `{"audio":"` + base64 + `"}`, `{"audio":}`, 0},
		{
			"an Anthropic picture", `{"messages":[{"content":[{"type":"image","source":{"data":"` + base64 +
				`","media_type":"image/png"}}]}]}`,
			`{"messages":[{"content":[{"type":"image","source":{"data":,"media_type":"image/png"}}]}]}`, 0,
		},
		{
			"an Anthropic document", `{"messages":[{"content":[{"source":{"data":"` + base64 +
				`","media_type":"text/plain"}}]}]}`,
			`{"messages":[{"content":[{"source":{"data":,"media_type":"text/plain"` + `"` + base64 + `"}}]}]}`, 0,
		},
		{"tools", `{"prompt":"x","tools":[{"name":"f"}]}`, `{"prompt":"x","tools":[{"name":"f"}]}`, toolTokens},
	} {
		want := tokens.Count([]byte(c.text)) + c.more
		for _, size := range []int{1, 7, 100, 1 << 20} {
			found, err := Scan(cut([]byte(c.body), size), Options{Count: true})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got := found.Request("").PromptTokens; got != want {
				t.Errorf("%s, in pieces of %d: got %d tokens, want %d", c.name, size, got, want)
			}
		}
	}
}

// Each request of a batch has the tokens of its own, and a body of which only the input is sent has those of that.
func TestPromptTokensOfParts(t *testing.T) {
	one, two := `{"prompt":"some words"}`, `{"prompt":"and some other words"}`
	scan := func(body string, o Options) workload.Request {
		o.Count = true
		found, err := Scan(pieces([]byte(body)), o)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return found.Request("")
	}
	batch := scan(`{"requests":[`+one+`, `+two+`]}`, Options{})
	for i, text := range []string{one, two} {
		if got, want := batch.Parts[i].PromptTokens, tokens.Count([]byte(text)); got != want {
			t.Errorf("request %d of a batch: got %d tokens, want %d", i, got, want)
		}
	}
	many := scan(`{"requests":[`+strings.Repeat(one+",", maxParts+1)+two+`]}`, Options{})
	rest := tokens.Count([]byte(one)) + tokens.Count([]byte(two)) + 2*64
	if got := many.Parts[maxParts].PromptTokens; got != rest {
		t.Errorf("the rest of a large batch: got %d tokens, want %d", got, rest)
	}
	nested := Options{Protocol: normalize.ProtocolNative, Nested: true, InputOnly: true}
	input := scan(`{"model":"m","other":"`+strings.Repeat("word ", 50)+`","input":`+one+`}`, nested)
	if got, want := input.PromptTokens, tokens.Count([]byte(one)); got != want {
		t.Errorf("an input that is sent alone: got %d tokens, want %d", got, want)
	}
	if got := requestOf(0, "", []byte(one)).PromptTokens; got != 0 {
		t.Errorf("nobody counts: got %d tokens, want 0", got)
	}
}

// A prompt of more tokens than its model can read is measured by its bytes, wherever the body or the path names the
// model. All others are counted to the end.
func TestPromptTokensUpToWhatMatters(t *testing.T) {
	const small, large, wide, exact = "@cf/a/small", "@cf/a/large", "@cf/a/wide", "@cf/a/exact"
	words := strings.Repeat("some words and no more of them. ", 10_000)
	prompt := `"prompt":"` + words + `"`
	var asked []string
	enough := func(model string) int64 {
		asked = append(asked, model)
		whole := tokens.Count([]byte(`{` + prompt + `}`))
		return map[string]int64{small: 20_000, large: 10_000_000, exact: whole}[model]
	}
	for _, c := range []struct {
		name, path, body string
		text             string // that is counted; "": none is
		asked            string
	}{
		{"named before", "", `{"model":"` + small + `",` + prompt + `}`, "", small},
		{"named behind", "", `{` + prompt + `,"model":"` + small + `"}`, "", small},
		{"named by the path", small, `{` + prompt + `}`, "", small},
		{
			"fewer than matter", "", `{` + prompt + `,"model":"` + large + `"}`,
			`{` + prompt + `,"model":"` + large + `"}`, large,
		},
		{"as many as matter", exact, `{` + prompt + `}`, `{` + prompt + `}`, exact},
		{"no limit is known", wide, `{` + prompt + `}`, `{` + prompt + `}`, wide},
		{"no model is named", "", `{` + prompt + `}`, `{` + prompt + `}`, ""},
		{"a short text", small, `{"prompt":"some words"}`, `{"prompt":"some words"}`, "nobody"},
		{"many short texts", small, `{"n":[` + strings.Repeat(`"some words", `, 20_000) + `1]}`, "", small},
	} {
		want := int64(0)
		if c.text != "" {
			want = tokens.Count([]byte(c.text))
		}
		for _, size := range []int{1000, 1 << 20} {
			asked = nil
			found, err := Scan(cut([]byte(c.body), size), Options{Count: true, Model: c.path, Enough: enough})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			q := found.Request(workload.TextGeneration)
			if q.PromptTokens != want || q.PromptBytes != int64(len(c.body)) {
				t.Errorf("%s, in pieces of %d: got %d tokens in %d bytes, want %d in %d", c.name, size, q.PromptTokens,
					q.PromptBytes, want, len(c.body))
			}
			if got := strings.Join(asked, ", "); got != c.asked && !(asked == nil && c.asked == "nobody") {
				t.Errorf("%s, in pieces of %d: asked for %q, want %q", c.name, size, got, c.asked)
			}
		}
	}
	batch, err := Scan(pieces([]byte(`{"requests":[{`+prompt+`},{"prompt":"x"}]}`)),
		Options{Count: true, Model: small, Enough: enough})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{`{` + prompt + `}`, `{"prompt":"x"}`} {
		got, want := batch.Request("").Parts[i].PromptTokens, tokens.Count([]byte(text))
		if got != want {
			t.Errorf("request %d of a batch: got %d tokens, want %d", i, got, want)
		}
	}
}

// What is more than matters is not counted, since that takes time.
func TestTokensThatDoNotMatterAreNotCounted(t *testing.T) {
	r := &reader{Options: Options{Model: "m", Enough: func(string) int64 { return 20_000 }}}
	r.counter = newCounter(r.Options, false)
	text := []byte(strings.Repeat("some words and no more of them. ", 10_000))
	for range 2 {
		r.count(text)
	}
	part := tokens.Count(text[:countedAtOnce])
	if got := r.counter.Tokens(); got <= 20_000 || got > 20_000+part {
		t.Errorf("got %d tokens counted, want more than 20000 and %d at most", got, 20_000+part)
	}
}
