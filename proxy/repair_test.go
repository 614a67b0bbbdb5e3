package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestOpenAIStreamsAreRepaired(t *testing.T) {
	const (
		head    = `"id":"chatcmpl-7","object":"chat.completion.chunk","created":1790000000,"model":"@cf/x/y"`
		choice  = `,"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]`
		early   = "data: {" + head + choice + `,"usage":{"neurons":0.1},"p":"x"}` + "\n\n"
		content = "data: {" + head + choice + `,"p":"x"}` + "\n\n"
		last    = "data: {" + head + `,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
		usage   = `{"prompt_tokens":5,"completion_tokens":2, "total_tokens":7,"neurons":1.25,` +
			`"prompt_tokens_details":{"cached_tokens":0}}`
		native = `data: {"response":"","usage":` + usage + `,"p":"abc"}` + "\n\n"
		done   = "data: [DONE]\n\n"
		chunk  = "data: {" + head + `,"choices":[],"usage":` + usage + "}\n\n"
	)
	finished := strings.ReplaceAll(early, `"finish_reason":null`, `"finish_reason":"stop"`)
	untold := strings.ReplaceAll(early, `{"neurons":0.1}`, "null")
	for _, c := range []struct{ name, path, sent, want string }{
		{"at the end", chatPath, content + last + native + done, content + last + chunk + done},
		{
			"line ends of Windows", chatPath, content + strings.ReplaceAll(native, "\n", "\r\n") + done,
			content + chunk + done,
		},
		{
			"beside a chunk that has it already", chatPath,
			content + "data: {" + head + `,"choices":[],"usage":` + usage + "}\n\n" + native + done, content + chunk +
				chunk + done,
		},
		{
			"without a usage that can be passed on", chatPath,
			content + `data: {"response":"","usage":null}` + "\n\n" + done, content +
				`data: {"response":"","usage":null}` + "\n\n" + done,
		},
		{
			"text that looks like it", chatPath,
			"data: {" + head + `,"choices":[{"delta":{"content":"\"response\":\"\",\"usage\":{}"}}]}` + "\n\n" + done,
			"data: {" + head + `,"choices":[{"delta":{"content":"\"response\":\"\",\"usage\":{}"}}]}` + "\n\n" + done,
		},
		{
			"the native route is left alone", "/run/" + testModel, `data: {"response":"a"}` + "\n\n" + native + done,
			`data: {"response":"a"}` + "\n\n" + native + done,
		},
		{"a usage before the end", chatPath, early + last + done, content + last + done},
		{
			"a usage in an event of several lines", chatPath,
			"id: 1\nevent: chunk\n" + strings.TrimSuffix(early, "\n") + ": c\n\n" + last + native + done,
			"id: 1\nevent: chunk\n: c\n" + content + last + chunk + done,
		},
		{
			"the chunk whose usage is removed shows the id", chatPath, "id: 1\n" + early + native + done,
			"id: 1\n" + content + chunk + done,
		},
		{"a usage of null", chatPath, untold + done, untold + done},
		{
			"with the last text", chatPath, finished + done, finished + done,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) { send(c.sent) }))
			if _, answer, cut := b.stream(c.path, streamChat); answer != c.want || cut {
				t.Errorf("got cut %v, want false; the answer:\n got %q\nwant %q", cut, answer, c.want)
			}
		})
	}
	t.Run("repairs that are off", func(t *testing.T) {
		sent := early + last + native + done
		b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) { send(sent) }),
			func(c *Config) { c.Unrepaired = true })
		if _, answer, _ := b.stream(chatPath, streamChat); answer != sent {
			t.Errorf("the answer:\n got %q\nwant %q", answer, sent)
		}
	})
	t.Run("a stream that names no id", func(t *testing.T) {
		b := newBench(t, streams(func(_ http.ResponseWriter, _ *http.Request, send func(string)) {
			send(`data: {"response":"a"}` + "\n\n" + native + done)
		}))
		_, answer, _ := b.stream(chatPath, streamChat)
		var got struct {
			ID, Object, Model string
			Created           int64
			Choices           []any
			Usage             map[string]any
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(strings.Split(answer, "\n\n")[1], "data: ")),
			&got); err != nil {
			t.Fatalf("the second event: got error %v, want JSON, in %q", err, answer)
		}
		if !strings.HasPrefix(got.ID, "chatcmpl-") {
			t.Errorf("id: got %q, want chatcmpl- at its beginning", got.ID)
		}
		wantEqual(t, "model", got.Model, testModel)
		wantEqual(t, "has a time", got.Created != 0, true)
		wantEqual(t, "has choices", got.Choices != nil, true)
		wantEqual(t, "neurons", got.Usage["neurons"], 1.25)
	})
}
