package measure

import (
	"reflect"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestMeasureJSON(t *testing.T) {
	const run, chatPath, responses, messages, embeddings = "run/@cf/a/b", "v1/chat/completions", "v1/responses",
		"v1/messages", "v1/embeddings"
	png := "data:image/png;base64," + mediatest.Base64Of(3000)
	less := func(body, media string) int64 { return int64(len(body) - len(media)) }
	type want = workload.Request
	for _, c := range []struct {
		name, path, body string
		task             workload.Task
		media            string // of the body, that does not become tokens; quotes included
		want             want   // but PromptBytes
	}{
		{"nothing", run, `{}`, "", "", want{}},
		{"a prompt", run, `{"prompt":"hello","max_tokens":7}`, "", "", want{MaxTokens: 7, Texts: 1, Characters: 5}},
		{"messages", chatPath, `{"model":"m","messages":[{"role":"user","content":"hello"}],` +
			`"max_completion_tokens":7,"n":3}`, "", "", want{MaxTokens: 7, Answers: 3, MakeImages: 3, Texts: 1}},
		{"both limits: the larger", chatPath, `{"max_tokens":5,"max_completion_tokens":7}`, "", "", want{MaxTokens: 7}},
		{"a limit behind an escaped name", run, `{"input":{"\u006dax_tokens":900}}`, "", "", want{MaxTokens: 900}},
		{"a limit in a string", run, `{"max_tokens":" 500 "}`, "", "", want{MaxTokens: 500}},
		{"a whole number with a fraction", run, `{"max_tokens":16.0}`, "", "", want{MaxTokens: 16}},
		{"words behind a number", run, `{"max_tokens":"500 tokens"}`, "", "", want{MaxTokens: 500, OddLimit: true}},
		{"a fraction", run, `{"max_tokens":1.2}`, "", "", want{MaxTokens: 2, OddLimit: true}},
		{"zero", run, `{"max_tokens":0}`, "", "", want{OddLimit: true}},
		{"a list", run, `{"max_tokens":[9]}`, "", "", want{OddLimit: true}},
		{"null counts as absent", run, `{"max_tokens":null}`, "", "", want{}},
		{"an exponent", run, `{"max_tokens":"1e3"}`, "", "", want{MaxTokens: 1000}},
		{"a limit without an end", run, `{"max_tokens":1e999}`, "", "", want{MaxTokens: 1e12, OddLimit: true}},
		{"a negative number", run, `{"input":{"max_tokens":-5}}`, "", "", want{OddLimit: true}},
		{
			"a limit beside the input", run, `{"max_tokens":9,"input":{"prompt":"x"}}`, "", "",
			want{MaxTokens: 9, MayIgnoreLimit: true, Texts: 1, Characters: 1},
		},
		{
			"a limit in the input, beside another prompt", run, `{"prompt":"x","input":{"prompt":"x","max_tokens":9}}`,
			"", "",
			want{MaxTokens: 9, MayIgnoreLimit: true, Texts: 1, Characters: 1},
		},
		{
			"steps beside the input", run, `{"steps":9,"input":{"prompt":"x"}}`, "", "",
			want{Steps: assumedSteps, Texts: 1, Characters: 1},
		},
		{
			"all in the input", run, `{"model":"m","input":{"prompt":"x","max_tokens":9,"steps":9}}`, "", "",
			want{MaxTokens: 9, Steps: 9, Texts: 1, Characters: 1},
		},
		{"a word", run, `{"input":{"max_tokens":"x"}}`, "", "", want{OddLimit: true}},
		{
			"a limit that Responses has", responses, `{"input":"hi","max_output_tokens":9}`, "", "",
			want{MaxTokens: 9, NoDefault: true, Texts: 1, Characters: 2},
		},
		{
			"a small limit under another protocol's name", responses,
			`{"input":"hi","max_tokens":1,"max_completion_tokens":1}`, "", "",
			want{MaxTokens: 1, MayIgnoreLimit: true, NoDefault: true, Texts: 1, Characters: 2},
		},
		{
			"a small limit that upstream may know or not", run, `{"prompt":"hi","max_completion_tokens":1000}`, "", "",
			want{MaxTokens: 1000, MayIgnoreLimit: true, Texts: 1, Characters: 2},
		},
		{
			"no limit where the model's default is not known to hold", responses, `{"input":"hi"}`, "", "",
			want{NoDefault: true, Texts: 1, Characters: 2},
		},
		{
			"no limit, in the form of Responses", run, `{"input":"hi"}`, "", "",
			want{NoDefault: true, Texts: 1, Characters: 2},
		},
		{
			"a large limit under another protocol's name", responses,
			`{"input":"hi","max_output_tokens":10,"max_tokens":100000}`, "", "",
			want{MaxTokens: 100000, NoDefault: true, Texts: 1, Characters: 2},
		},
		{
			"a large limit under another protocol's name alone", messages, `{"max_output_tokens":100000}`, "", "",
			want{MaxTokens: 100000, MayIgnoreLimit: true, NoDefault: true},
		},
		{
			"answers by other names", run, `{"n":2,"num_return_sequences":5,"best_of":4}`, "", "",
			want{Answers: 5, MakeImages: 2},
		},
		{
			"the model in the body", "run", `{"model":"m","input":{"prompt":"hello","max_tokens":7},"max_tokens":3}`,
			"",
			"",
			want{MaxTokens: 7, Texts: 1, Characters: 5},
		},
		{
			"an input within an input", "run", `{"model":"m","input":{"input":{"max_tokens":7},"max_output_tokens":3}}`,
			"", "",
			want{MaxTokens: 3, MayIgnoreLimit: true, NoDefault: true},
		},

		{"texts to embed", embeddings, `{"input":["a","b","c"]}`, "", "", want{Texts: 3}},
		{"a text to embed", run, `{"text":"abc"}`, "", "", want{Texts: 1, Characters: 3}},
		{
			"contexts to rank", run, `{"query":"q","contexts":[{"text":"a"},{"text":"b"}]}`,
			workload.TextClassification,
			"",
			want{Texts: 2},
		},
		{"a list and a text: the larger", run, `{"text":"x","contexts":[1,2]}`, "", "", want{Texts: 2, Characters: 2}},

		{
			"text to speak", run, `{"text":"é\u00e9\n😀"}`, workload.TextToSpeech, "",
			want{Texts: 1, Characters: 5, SpokenSeconds: 0.7321428571428572},
		},
		{
			"texts to speak, and a short one beside them", run, `{"text":["abc","d\u00e9f",{"x":1}],"prompt":"a"}`,
			workload.TextToSpeech, "",
			want{Texts: 3, Characters: 3 + 3 + 7, SpokenSeconds: 2.107142857142857},
		},
		{
			"texts to speak, in the input", run, `{"input":["abc","def"],"text":"a"}`, workload.TextToSpeech, "",
			want{NoDefault: true, Texts: 2, Characters: 6, SpokenSeconds: 1.125},
		},
		{
			"text in two fields: the longer", run, `{"text":"ab","prompt":"abcd"}`, workload.TextToSpeech, "",
			want{Texts: 1, Characters: 4, SpokenSeconds: 0.5},
		},

		{
			"a picture to be made", run, `{"prompt":"cat","width":512,"height":"768","num_steps":20,"steps":8,` +
				`"num_images":2}`, workload.TextToImage, "",
			want{Width: 512, Height: 768, Steps: 20, MakeImages: 2, Texts: 1, Characters: 3},
		},
		{
			"its size in a string", run, `{"size":"1024x768","width":2000}`, workload.TextToImage, "",
			want{Width: 2000, Height: 768},
		},
		{"its size in no string", run, `{"size":"auto","image_size":5}`, workload.TextToImage, "", want{}},

		{"a picture, base64", run, `{"image":"` + mediatest.Base64Of(300) + `"}`, "", `"` + mediatest.Base64Of(300) +
			`"`, want{Images: 1}},
		{"a picture, bytes", run, `{"image":[1, 2,3 ]}`, "", `[1, 2,3 ]`, want{Images: 1}},
		{"a picture, by URL", run, `{"image":"https://example.com/a.png"}`, "", "", want{Images: 1}},
		{
			"pictures", run, `{"images":["` + png + `","` + png + `"],"mask":"` + png + `"}`, "",
			strings.Repeat(`"`+png+`"`, 3),
			want{Images: 3},
		},
		{"text in a picture's place", run, `{"image":"not base64, but text"}`, "", "", want{Images: 1}},
		{"a list that is not all bytes", run, `{"image":[1,"a text",2]}`, "", "", want{Images: 1}},
		{
			"a picture in a message", chatPath, `{"messages":[{"content":[{"type":"text","text":"what?"},` +
				`{"type":"image_url","image_url":{"url":"` + png + `","detail":"low"}}]}]}`, "", `"` + png + `"`,
			want{Images: 1, Texts: 1},
		},
		{
			"a picture in a message, escaped", chatPath,
			`{"messages":[{"content":[{"image_url":{"url":"data:image\/png;base64,AAAA\/AAA"}}]}]}`, "",
			`"data:image\/png;base64,AAAA\/AAA"`,
			want{Images: 1, Texts: 1},
		},
		{"a picture in a Responses message", responses, `{"input":[{"content":[{"type":"input_image","image_url":"` +
			png + `"}]}]}`, "", `"` + png + `"`, want{NoDefault: true, Images: 1, Texts: 1}},
		{
			"a picture in an Anthropic message", messages,
			`{"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png",` +
				`"data":"AAAA"}},{"type":"tool_result","content":[{"type":"image","source":{"data":"BBBB",` +
				`"media_type":"image/png"}}]}]}]}`, "", `"AAAA""BBBB"`,
			want{NoDefault: true, Images: 2, Texts: 1},
		},
		{
			"an Anthropic document is text", messages,
			`{"messages":[{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain",` +
				`"data":"AAAA"}}]}]}`, "", ``,
			want{NoDefault: true, Images: 1, Texts: 1},
		},
		{"a data URL as text is text", chatPath, `{"messages":[{"content":[{"type":"text","text":"` + png +
			`"}]},{"content":"` + png + `","image_url":"` + png + `"}]}`, "", "", want{Texts: 2}},
		{"a data URL of text is text", chatPath, `{"messages":[{"content":[{"image_url":"data:text/plain;base64,` +
			`AAAA"}]}]}`, "", "", want{Images: 1, Texts: 1}},
		{
			"a picture's name in a tool is text", chatPath,
			`{"tools":[{"function":{"parameters":{"image":"AAAA","content":[{"image_url":"` + png + `"}]}}}]}`, "", "",
			want{},
		},

		{"audio, bytes", run, `{"audio":[1,2,3,4]}`, workload.SpeechRecognition, `[1,2,3,4]`, want{AudioBytes: 4}},
		{"audio, base64", run, `{"audio":"` + mediatest.Base64Of(3000) + `"}`, workload.SpeechRecognition, `"` +
			mediatest.Base64Of(3000) + `"`, want{AudioBytes: 3000}},
		{
			"audio, Deepgram's", run, `{"audio":{"body":"` + mediatest.Base64Of(300) + `","contentType":"audio/ogg"}}`,
			workload.SpeechRecognition, `"` + mediatest.Base64Of(300) + `"`,
			want{AudioBytes: 300},
		},
		{
			"audio given twice counts twice", run, `{"audio":[1,2],"audio":[1,2,3]}`, workload.SpeechRecognition,
			`[1,2][1,2,3]`,
			want{AudioBytes: 5},
		},
		{
			"audio that upstream fetches", run, `{"audio":{"url":"https://example.com/a.mp3"}}`,
			workload.SpeechRecognition,
			"",
			want{AudioSeconds: 3600},
		},
		{
			"audio in a data URL that is no base64", run, `{"audio":"data:x"}`, workload.SpeechRecognition, "",
			want{AudioSeconds: 3600},
		},
		{
			"audio that upstream fetches, native", run, `{"url":"https://example.com/a.mp3"}`,
			workload.SpeechRecognition,
			"",
			want{AudioSeconds: 3600},
		},
		{
			"audio of the URL-safe alphabet", run, `{"audio":"UklGR-_-"}`, workload.SpeechRecognition, `"UklGR-_-"`,
			want{AudioBytes: 6},
		},
		{
			"a data URL with the longest media type", run, `{"image":"` + dataURLOf(maxMediaType) + `"}`, "",
			`"` + dataURLOf(maxMediaType) + `"`,
			want{Images: 1},
		},
		{
			"a data URL with a longer media type", run, `{"image":"` + dataURLOf(maxMediaType+1) + `"}`, "", "",
			want{Images: 1},
		},
		{
			"a data URL with escapes in its media type", run, `{"image":"data:image\/png;x=\"a\\\";base64,AAAA"}`, "",
			`"data:image\/png;x=\"a\\\";base64,AAAA"`,
			want{Images: 1},
		},
		{
			"a string that ends before the base64", run, `{"image":"data:image/png","x":";base64,AAAA"}`, "", "",
			want{Images: 1},
		},
		{"audio in a message", chatPath, `{"messages":[{"content":[{"type":"input_audio",` +
			`"input_audio":{"data":"AAAA","format":"wav"}}]}]}`, "", `"AAAA"`, want{AudioBytes: 3, Texts: 1}},
		{"a voice is no audio", chatPath, `{"audio":{"voice":"alloy","format":"mp3"}}`, "", "", want{}},

		{"a batch outside run is none", chatPath, `{"requests":[{"max_tokens":5}]}`, "", "", want{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Task, c.want.PromptBytes = c.task, less(c.body, c.media)
			got := requestOf(protocolOf(t, c.path), c.task, []byte(c.body))
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// dataURLOf is a data URL of a picture whose base64 begins behind that many bytes, the scheme not counted.
func dataURLOf(length int) string {
	const kind, mark = "image/png;x=", ";base64,"
	return "data:" + kind + strings.Repeat("a", length-len(kind)-len(mark)) + mark + "AAAA"
}

func TestMeasureBatch(t *testing.T) {
	r := protocolOf(t, "run/m")
	get := func(body string) workload.Request {
		return requestOf(r, workload.TextGeneration, []byte(body))
	}
	one, two := `{"prompt":"a","max_tokens":5}`, `{"image":"AAAA","requests":[{}]}`
	got := get(`{"requests":[` + one + `, ` + two + `]}`)
	want := []workload.Request{
		{Task: workload.TextGeneration, PromptBytes: int64(len(one)), MaxTokens: 5, Texts: 1, Characters: 1},
		{Task: workload.TextGeneration, PromptBytes: int64(len(two)) - 6, Images: 1},
	}
	if !reflect.DeepEqual(got.Parts, want) {
		t.Errorf("got %+v\nwant %+v", got.Parts, want)
	}
	if got.PromptBytes != 0 {
		t.Errorf("got %d bytes of prompt beside the parts, want 0", got.PromptBytes)
	}
	if got := get(`{"model":"m","input":{"requests":[` + one + `]}}`); len(got.Parts) != 1 {
		t.Errorf("in input: got %+v, want 1 part", got.Parts)
	}
	got = get(`{"prompt":"a long prompt","max_tokens":900,"requests":[{}]}`)
	if len(got.Parts) != 2 {
		t.Fatalf("a prompt beside a batch: got %+v, want 2 parts", got.Parts)
	}
	bytes := int64(len(`{"prompt":"a long prompt","max_tokens":900,"requests":[]}`))
	if beside := got.Parts[1]; beside.MaxTokens != 900 || beside.PromptBytes != bytes {
		t.Errorf("a prompt beside a batch: got %d tokens, %d bytes, want 900 and %d",
			beside.MaxTokens, beside.PromptBytes, bytes)
	}
	if got := get(`{"requests":[]}`); len(got.Parts) != 1 || got.Parts[0].PromptBytes == 0 {
		t.Errorf("an empty batch: got %+v, want 1 part of some bytes", got.Parts)
	}
	many := get(`{"requests":[` + strings.Repeat(one+",", 2999) + `{"prompt":"x","n":4}]}`)
	rest := many.Parts[len(many.Parts)-1]
	if len(many.Parts) != maxParts+1 {
		t.Errorf("a large batch: got %d parts, want %d", len(many.Parts), maxParts+1)
	}
	if rest.Answers != 1999+4 {
		t.Errorf("the rest of a large batch: got %d answers, want %d", rest.Answers, 1999+4)
	}
	if rest.MaxTokens != 5 || !rest.MayIgnoreLimit {
		t.Errorf("the rest of a large batch: got %d tokens (by default more: %v), want 5 (true)", rest.MaxTokens,
			rest.MayIgnoreLimit)
	}
	if rest.Calls != 2000 {
		t.Errorf("the rest of a large batch: got %d calls, want 2000", rest.Calls)
	}
	if rest.PromptBytes < 2000*64 {
		t.Errorf("the rest of a large batch: got %d bytes, want at least %d", rest.PromptBytes, 2000*64)
	}
}
