package sdk

import (
	"context"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A client is one API of one SDK.
type client struct {
	name    string // as it is imported
	npm     bool   // else it is a Go module
	path    string // of the Go module
	api     string
	through string // npm package that calls it; "" = the program itself
	base    string // what to set, on the default listener
	run     func(*testing.T, []errand) []sight
	finish  func(scenario) string // what it says of a whole answer
	classes map[int]string        // of errors by HTTP status, 0 within a stream

	adapt       func(*want)           // what it shows in its own way; nil: nothing
	differences map[string]difference // by scenario: what could be better, and why it is not
}

// A difference is where an SDK falls short of what its user ought to see.
type difference struct {
	why    string // for the page
	change func(*want)
}

const (
	openAIBase = "http://127.0.0.1:3036/v1"
	v4Base     = "http://127.0.0.1:3036/client/v4"
)

var clients = []client{
	{
		name: "openai-go", path: "github.com/openai/openai-go/v3", api: "chat completions",
		base: "`option.WithBaseURL(\"" + openAIBase + "\")`",
		run:  inGo(openAIGoChat, describeOpenAIGo), finish: always("stop"),
		classes:     two("*openai.Error", "*ssestream.StreamError"),
		differences: asNotes(streamErrorInGo, "midstream-error", "midstream-cut"),
	},
	{
		name: "openai-go", path: "github.com/openai/openai-go/v3", api: "responses",
		base: "`option.WithBaseURL(\"" + openAIBase + "\")`",
		run:  inGo(openAIGoResponses, describeOpenAIGo), finish: always("completed"),
		classes:     two("*openai.Error", "*ssestream.StreamError"),
		differences: asNotes(streamErrorInGo, "midstream-error", "midstream-cut"),
	},
	{
		name: "go-openai", path: "github.com/sashabaranov/go-openai", api: "chat completions",
		base: "`config.BaseURL = \"" + openAIBase + "\"`",
		run:  inGo(goOpenAIChat, describeGoOpenAI), finish: always("stop"),
		classes: two("*openai.APIError", "*openai.APIError"),
		adapt:   func(w *want) { w.withID = false },
		differences: map[string]difference{"busy": {
			"It never repeats a call by itself, so the failure reaches its caller. The proxy's own retries, which " +
				"these tests turn off, do it instead.",
			func(w *want) {
				*w = want{
					text: nothing, requests: 1, status: http.StatusTooManyRequests, code: "out_of_capacity",
					message: busy,
				}
			},
		}},
	},
	{
		name: "cloudflare-go", path: "github.com/cloudflare/cloudflare-go/v7", api: "native",
		base: "`option.WithBaseURL(\"" + v4Base + "/\")`",
		run:  inGo(cloudflareGoRun, describeCloudflareGo), finish: nativeFinish,
		classes: two("*cloudflare.Error", anEvent),
		adapt:   numbers, differences: asNotes(rawStream, "midstream-error", "midstream-cut"),
	},
	{
		name: "openai", npm: true, api: "chat completions", base: "`baseURL: '" + openAIBase + "'`",
		run: inNode("openai-chat.test.js"), finish: always("stop"), classes: stainless, adapt: statusFirst,
	},
	{
		name: "openai", npm: true, api: "responses", base: "`baseURL: '" + openAIBase + "'`",
		run: inNode("openai-responses.test.js"), finish: always("completed"), classes: stainless, adapt: statusFirst,
	},
	{
		name: "@anthropic-ai/sdk", npm: true, api: "messages", base: "`baseURL: 'http://127.0.0.1:3036'`",
		run: inNode("anthropic.test.js"), finish: always("end_turn"), classes: stainless, adapt: statusFirst,
	},
	{
		name: "cloudflare", npm: true, api: "native", base: "`baseURL: '" + v4Base + "'`",
		run: inNode("cloudflare.test.js"), finish: nativeFinish, classes: with(stainless, 0, anEvent),
		adapt:       func(w *want) { numbers(w); statusFirst(w) },
		differences: asNotes(rawStream, "midstream-error", "midstream-cut"),
	},
	{
		name: "@ai-sdk/openai-compatible", npm: true, api: "chat completions", through: "ai",
		base: "`baseURL: '" + openAIBase + "'`",
		run:  inNode("ai-openai-compatible.test.js"), finish: always("stop"), classes: vercel, differences: retriesAll,
		adapt: func(w *want) { w.withID = w.status != 0 },
	},
	{
		name: "workers-ai-provider", npm: true, api: "native", through: "ai",
		base: "`fetch` that replaces `https://api.cloudflare.com`",
		run:  inNode("workers-ai-provider.test.js"), finish: always("stop"), classes: vercel,
		adapt:       func(w *want) { w.withBody = true },
		differences: with(with(retriesAll, "midstream-error", deafInStreams), "midstream-cut", deafInStreams),
	},
}

// What several clients have in common.
var (
	stainless = map[int]string{
		http.StatusTooManyRequests: "RateLimitError", http.StatusBadRequest: "BadRequestError",
		http.StatusUnauthorized: "AuthenticationError", http.StatusBadGateway: "InternalServerError", 0: "APIError",
	}
	vercel = map[int]string{
		http.StatusTooManyRequests: "RetryError", http.StatusBadRequest: "APICallError",
		http.StatusUnauthorized: "APICallError", http.StatusBadGateway: "RetryError", 0: "StreamProviderError",
	}
	retriesAll = asDifferences(difference{
		"It repeats every 429 and 5xx twice; it does not read `x-should-retry`, and no other header stops it. " +
			"Set `maxRetries: 0` and leave retries to the proxy.",
		func(w *want) { w.requests = 3 },
	}, "spent", "spent-stream", "operator")
	deafInStreams = difference{
		"It ignores error events. All that it notices is that the connection is cut, which is why the proxy cuts it: " +
			"had the stream ended, nothing would be thrown.",
		func(w *want) {
			*w = want{text: beginning, requests: 1, class: "TypeError", message: "terminated"}
		},
	}
)

// anEvent stands for the class of an error where the SDK makes none.
const anEvent = "an event"

const (
	streamErrorInGo = "The error holds the event and no fields: `normalize.Parse(err.Event.Data)` reads it."
	rawStream       = "It has no streams of its own and hands out the response as it comes; the failure is an " +
		"event whose `error` is set."
)

// numbers is for SDKs whose errors carry Workers AI's number. In a stream of theirs the program reads the event itself.
func numbers(w *want) {
	if w.status != 0 {
		w.code = strconv.Itoa(w.number)
	}
}

// statusFirst is for SDKs whose messages begin with the status, where there is one.
func statusFirst(w *want) {
	if w.status != 0 {
		w.message = strconv.Itoa(w.status) + " " + w.message
	}
}

func always(finish string) func(scenario) string { return func(scenario) string { return finish } }

// nativeFinish is for SDKs of the native API, whose answers do not say why they ended.
func nativeFinish(sc scenario) string {
	if sc.stream {
		return "[DONE]"
	}
	return ""
}

// two are the classes of an SDK that has one for refusals and one for streams.
func two(refused, interrupted string) map[int]string {
	classes := map[int]string{0: interrupted}
	for status := range stainless {
		if status != 0 {
			classes[status] = refused
		}
	}
	return classes
}

// with returns a copy of m in which key is value.
func with[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	larger := map[K]V{key: value}
	for k, v := range m {
		if k != key {
			larger[k] = v
		}
	}
	return larger
}

func asDifferences(d difference, names ...string) map[string]difference {
	all := make(map[string]difference, len(names))
	for _, name := range names {
		all[name] = d
	}
	return all
}

// asNotes are differences that change nothing of what is wanted, but must be known.
func asNotes(why string, names ...string) map[string]difference {
	return asDifferences(difference{why, func(*want) {}}, names...)
}

// wants returns what the user of c ought to see of sc.
func (c *client) wants(sc scenario) want {
	w := sc.want
	w.withID = true
	if c.adapt != nil {
		c.adapt(&w)
	}
	if d, ok := c.differences[sc.name]; ok {
		d.change(&w)
	}
	if w.failed() && w.class == "" {
		w.class = c.classes[w.status]
	}
	return w
}

// title is the SDK as the page names it, with the version that is tested and what it is used through.
func (c *client) title(t *testing.T) string {
	t.Helper()
	title := "`" + c.name + "` " + c.version(t)
	if c.through != "" {
		title += " through `" + c.through + "` " + lockedVersion(t, c.through)
	}
	return title
}

func (c *client) version(t *testing.T) string {
	t.Helper()
	if c.npm {
		return lockedVersion(t, c.name)
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", c.path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// inGo runs the errands one after the other.
func inGo(call func(context.Context, errand, *sight) error, describe func(error, *sight)) func(*testing.T,
	[]errand) []sight {
	return func(t *testing.T, errands []errand) []sight {
		t.Helper()
		all := make([]sight, 0, len(errands))
		for _, e := range errands {
			ctx, cancel := context.WithTimeout(t.Context(), maxWait)
			began := time.Now()
			s := sight{Scenario: e.Scenario}
			if err := call(ctx, e, &s); err != nil {
				describe(err, &s)
			}
			cancel()
			s.Seconds = time.Since(began).Seconds()
			all = append(all, s)
		}
		return all
	}
}
