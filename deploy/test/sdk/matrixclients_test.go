package sdk

import "maps"

// A matrixClient is a client that stands on others: a framework, or a whole program.
type matrixClient struct {
	client

	soak   bool   // run by make soak-clients alone
	whole  bool   // a program, which reads at its own pace and always streams
	recipe string // for people, where a base URL is not all

	hides   map[string]string // by situation: why its user sees no code
	repeats map[string]limit  // by situation: why Workers AI is called more often than it helps
}

type limit struct {
	calls int
	why   string
}

// takesPart reports whether c can be put into s.
func (c *matrixClient) takesPart(s situation) bool {
	return !c.whole || s.slow == 0 && s.stream
}

const once = "; `maxRetries: 0`" // behind the name of an API

// Clients that do not read x-should-retry. The quota block and the block of a refused token hold what they repeat.
var (
	vercelRepeats = repeating(
		"It repeats every 408, 429 and 5xx twice and does not read `x-should-retry`: set `maxRetries: 0`.", 9, 3)
	langChainRepeats = repeating(
		"It repeats such failures six times by itself and does not read `x-should-retry`: set `maxRetries: 0`.", 21, 7)
)

func repeating(why string, busy, hung int) map[string]limit {
	return map[string]limit{
		"spent": {1, why}, "spent-stream": {1, why}, "busy": {busy, why}, "refused": {2, why}, "hung": {hung, why},
	}
}

// hiding is for clients that show no code in these situations.
func hiding(why string, names ...string) map[string]string {
	all := make(map[string]string, len(names))
	for _, name := range names {
		all[name] = why
	}
	return all
}

var (
	refusals = []string{"spent", "spent-stream", "busy", "refused", "hung"}
	midway   = []string{"midstream", "midstream-slow", "cut", "cut-slow"}
)

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

var matrix = []matrixClient{
	{client: client{
		name: "anthropic-sdk-go", path: "github.com/anthropics/anthropic-sdk-go", api: "messages",
		run: inGo(anthropicGo, describeAnthropicGo),
	}},
	{
		client: client{
			name: "eino", path: "github.com/cloudwego/eino", api: "chat completions", run: inGo(eino, describeEino),
		},
	},
	{
		client: client{
			name: "langchaingo", path: "github.com/tmc/langchaingo", api: "chat completions",
			run: inGo(langChainGo, describeLangChainGo),
		},
		hides: both(
			hiding("Its error is a text with the status and the message in it.", refusals...),
			hiding("It ignores error events. All that it notices is that the connection is cut.", midway...),
		),
	},
	{
		client: client{
			name: "@langchain/openai", npm: true, api: "chat completions" + once,
			run: inNode("langchain.test.js", "SDKTEST_MAX_RETRIES=0"),
		},
	},
	{
		client: client{
			name: "@langchain/openai", npm: true, api: "chat completions", run: inNode("langchain.test.js"),
		},
		soak: true, repeats: langChainRepeats,
	},
	{
		client: client{
			name: "@ai-sdk/openai", npm: true, api: "chat completions", through: "ai",
			run: inNode("ai-openai-chat.test.js"),
		},
		repeats: vercelRepeats,
	},
	{
		client: client{
			name: "@ai-sdk/openai", npm: true, api: "chat completions" + once, through: "ai",
			run: inNode("ai-openai-chat.test.js", "SDKTEST_MAX_RETRIES=0"),
		},
		soak: true,
	},
	{
		client: client{
			name: "@ai-sdk/openai", npm: true, api: "responses", through: "ai",
			run: inNode("ai-openai-responses.test.js"),
		},
		repeats: vercelRepeats,
	},
	{
		client: client{
			name: "@ai-sdk/anthropic", npm: true, api: "messages", through: "ai", run: inNode("ai-anthropic.test.js"),
		},
		repeats: vercelRepeats,
	},
	{client: client{name: "@openai/agents", npm: true, api: "responses", run: inNode("agents-responses.test.js")}},
	{client: client{name: "@openai/agents", npm: true, api: "chat completions", run: inNode("agents-chat.test.js")}},
	{
		client: client{
			name: "llamaindex", npm: true, api: "chat completions", run: inNode("../soak/llamaindex.test.js"),
		},
		soak: true,
	},
	{
		client: client{name: "@mastra/core", npm: true, api: "chat completions", run: inNode("../soak/mastra.test.js")},
		soak:   true,
	},
	{
		client: client{
			name: "agents", npm: true, api: "native by `createAI`", through: "ai",
			run: inNode("../soak/createai.test.js"),
		},
		soak: true, recipe: createAIRecipe, repeats: vercelRepeats,
		hides: hiding("It keeps the message of an error event alone.", midway...),
	},
	{
		client: client{name: "@openai/codex", npm: true, api: "responses", run: inProgram(codex)},
		soak:   true, whole: true, recipe: codex.recipe(),
		hides: hiding(textAlone, append(midway, refusals...)...),
		repeats: with(with(repeating(codexRepeats, 18, 6), "midstream", limit{6, codexRepeats}),
			"cut", limit{6, codexRepeats}),
	},
	{
		client: client{name: "@openai/codex", npm: true, api: "responses without retries", run: inProgram(codexOnce)},
		soak:   true, whole: true, recipe: codexOnce.recipe(),
		hides: hiding(textAlone, append(midway, refusals...)...),
	},
	{
		client: client{name: "opencode-ai", npm: true, api: "chat completions", run: inProgram(openCode)},
		soak:   true, whole: true, recipe: openCode.recipe(),
		repeats: with(repeating(openCodeRepeats, 18, 6), "midstream", limit{6, openCodeRepeats}),
	},
	{
		client: client{name: "@continuedev/cli", npm: true, api: "chat completions", run: inProgram(continueCLI)},
		soak:   true, whole: true, recipe: continueCLI.recipe(),
		hides:   hiding(textAlone, append(midway, refusals...)...),
		repeats: repeating(continueRepeats, 33, 1),
	},
}

const (
	textAlone    = "It prints a sentence and keeps no code."
	codexRepeats = "It repeats a failed turn five times, and 5xx four times in each: `request_max_retries = 0` and " +
		"`stream_max_retries = 0` in the table of the provider stop it."
	openCodeRepeats = "It repeats five times what it takes for temporary."
	continueRepeats = "It repeats 429 and 5xx ten times, for two minutes."
)

const matrixHead = `# What the users of frameworks and programs see

Frameworks and programs that stand on the SDKs of [SDKS.md](SDKS.md), each with a proxy that has no settings but its
account, its token and a time limit of two seconds for the first byte, in front of the simulated Workers AI. The tests
in this folder make this page: ` + "`make soak-clients`" + ` runs all of it, CI what needs no long waits.

In every row a failure is seen as one, and its code can be read, also by a reader who takes 20 ms for each piece of a
stream. Where a client hides the code, or calls more often than it helps, a note says why. Figures are the requests that
reached the proxy, and the calls that reached Workers AI.
`

const createAIRecipe = "`createAI` has no base URL and calls the global `fetch`. Replace it before the first call:" +
	"\n\n" +
	"```js\n" +
	"const direct = globalThis.fetch\n" +
	"globalThis.fetch = (url, init) =>\n" +
	"  direct(String(url).replace('https://api.cloudflare.com', 'http://127.0.0.1:3036'), init)\n\n" +
	"const ai = createAI({ accountId: 'the account', apiToken: 'a key of the proxy' }) // of agents/models/ai-sdk\n" +
	"```"
