package demo

import (
	"slices"
	"strconv"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// A Group is a row of buttons.
type Group struct {
	Title   string
	Dense   bool // many short ones
	Actions []Action
}

// An Action is a button and the call that it makes.
type Action struct {
	Key         string // names it in the form
	Title, Hint string

	path, body string
	simulate   string        // the header X-Simulate
	timeout    time.Duration // 0: the default
}

const (
	chatModel  = "@cf/meta/llama-3.1-8b-instruct-fp8"
	largeModel = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"
	messages   = `"messages": [{"role": "user", "content": "Hello"}]}`
)

func chat(key, title, hint, simulate string) Action {
	return Action{
		Key: key, Title: title, Hint: hint, simulate: simulate,
		path: "/v1/chat/completions", body: `{"model": "` + chatModel + `", ` + messages,
	}
}

func stream(key, title, simulate string) Action {
	return Action{
		Key: key, Title: title, simulate: simulate,
		path: "/v1/chat/completions", body: `{"model": "` + chatModel + `", "stream": true, ` + messages,
	}
}

// Groups returns all buttons.
func Groups() []Group {
	hang := chat("hang", "no answer", "The caller gives up after three seconds.", "hang")
	hang.timeout = 3 * time.Second
	embeddings := `{"model": "@cf/baai/bge-base-en-v1.5", "input": "Hello"}`
	return []Group{
		{Title: "A call", Actions: []Action{
			chat("chat", "Send a chat", "", ""),
			stream("stream", "Send a stream", ""),
			{Key: "native", Title: "Native route", path: "/run/" + chatModel, body: `{"prompt": "Hello"}`},
			{Key: "embeddings", Title: "Embeddings", path: "/v1/embeddings", body: embeddings},
		}},
		{Title: "A failure that this proxy retries, or refuses before Workers AI sees it", Actions: []Action{
			chat("recovered", "No capacity twice, then an answer", "The proxy retries by itself.", "3040; times=2"),
			{
				Key: "dear", Title: "Too expensive for the day", Hint: "It may cost more neurons than are left.",
				path: "/v1/chat/completions", body: `{"model": "` + largeModel + `", "max_tokens": 30000, ` + messages,
			},
			{Key: "invalid", Title: "Broken JSON", path: "/v1/chat/completions", body: `{"model": `},
			{Key: "path", Title: "Not for inference", path: "/client/v4/accounts", body: "{}"},
		}},
		{Title: "An answer that breaks", Actions: []Action{
			chat("reset", "reset", "The connection breaks before an answer.", "reset"),
			hang,
			chat("html", "an HTML page", "502 as an edge sends it.", "html-502"),
			chat("empty", "empty", "200 without a body.", "empty"),
			chat("ok-false", "200 that failed", "success: false.", "ok-false"),
			stream("midstream", "an error within a stream", "midstream=3040; after=3"),
			stream("cut", "a stream cut", "midstream=cut; after=3"),
			stream("half", "a stream cut within an event", "midstream=half; after=3"),
			stream("end", "a stream without its end", "midstream=end; after=3"),
		}},
		{Title: "Each failure of Workers AI or its gateway", Dense: true, Actions: codes()},
	}
}

// codes has an action for each failure that Workers AI or its gateway can answer.
func codes() []Action {
	var all []Action
	for _, e := range normalize.Catalog() {
		if e.Source != normalize.SourceOwn && slices.Contains(e.Origins, normalize.OriginUpstream) {
			all = append(all, chat("code-"+e.Slug, strconv.Itoa(e.Number)+" "+e.Slug, e.Summary, e.Slug))
		}
	}
	return all
}
