package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/routing"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// How a name must be treated.
const (
	ofWorkersAI = iota // booked
	thirdParty         // refused with our token, unmetered else
	pathOfAPI          // third party, and no model of run
)

// namesOfModels has each provider's form, the forms of one name, and what only looks like one.
var namesOfModels = []struct {
	name string // "" behind escaped: as it is
	kind int
}{
	{testModel, ofWorkersAI},
	{"@cf/openai/gpt-oss-120b", ofWorkersAI},
	{"@cf/openai/gpt-oss-20b", ofWorkersAI},
	{"@cf/meta/llama-3.3-70b-instruct-fp8-fast", ofWorkersAI},
	{"@cf/moonshotai/kimi-k2.5", ofWorkersAI}, // an alias
	{"@cf/google/embeddinggemma-300m", ofWorkersAI},
	{"@cf/google/gemma-4-26b-a4b-it", ofWorkersAI},
	{"@cf/nobody/knows-this", ofWorkersAI},
	{"@cf/v1/chat", ofWorkersAI},
	{"@hf/nousresearch/hermes-2-pro-mistral-7b", ofWorkersAI},
	{"@hf/thebloke/mistral-7b-instruct-v0.1-awq", ofWorkersAI},
	{"workers-ai/" + testModel, ofWorkersAI},
	{"workers-ai/@hf/nousresearch/hermes-2-pro-mistral-7b", ofWorkersAI},

	{"openai/gpt-4.1", thirdParty},
	{"openai/gpt-4.1-mini", thirdParty},
	{"openai/gpt-5.2", thirdParty},
	{"openai/o4-mini", thirdParty},
	{"openai/gpt-image-2", thirdParty},
	{"openai/whisper-1", thirdParty},
	{"anthropic/claude-haiku-4.5", thirdParty},
	{"anthropic/claude-opus-4-6", thirdParty},
	{"anthropic/claude-sonnet-4.5", thirdParty},
	{"google/gemini-3.5-flash-lite", thirdParty},
	{"google/gemini-3-pro", thirdParty},
	{"google-ai-studio/gemini-2.5-flash", thirdParty},
	{"google-vertex-ai/google/gemini-2.5-pro", thirdParty},
	{"xai/grok-4", thirdParty},
	{"grok/grok-4-fast", thirdParty},
	{"mistral/mistral-large-latest", thirdParty},
	{"deepseek/deepseek-chat", thirdParty},
	{"groq/llama-3.3-70b-versatile", thirdParty},
	{"cohere/command-r", thirdParty},
	{"perplexity-ai/sonar", thirdParty},
	{"cerebras/llama3.1-8b", thirdParty},
	{"openrouter/auto", thirdParty},
	{"aws-bedrock/anthropic.claude-3", thirdParty},
	{"azure-openai/gpt-4o", thirdParty},
	{"minimax/minimax-m2", thirdParty},
	{"elevenlabs/eleven_multilingual_v2", thirdParty},
	{"replicate/black-forest-labs/flux", thirdParty},
	{"huggingface/meta-llama/Llama-3", thirdParty},
	{"fal/flux", thirdParty},
	{"cloudflare/auto", thirdParty},
	{"cloudflare/clef", thirdParty},
	{"dynamic/support", thirdParty},
	{"dynamic/gemma-4-fallback", thirdParty},
	{"custom/mine", thirdParty},
	{"gpt-4o", thirdParty},
	{"claude-3-5-sonnet-latest", thirdParty},
	{"text-embedding-3-small", thirdParty},
	{"auto", thirdParty},
	{"@CF/META/LLAMA-3.1-8B-INSTRUCT-FP8", thirdParty},
	{"@Cf/meta/llama-3.1-8b-instruct-fp8", thirdParty},
	{"@HF/thebloke/x", thirdParty},
	{"@cf", thirdParty},
	{"@cfx/meta/llama", thirdParty},
	{"@openai/gpt-4.1", thirdParty},
	{"cf/meta/llama-3.1-8b-instruct-fp8", thirdParty},
	{"x@cf/meta/llama", thirdParty},
	{"openai/@cf/meta/llama", thirdParty},
	{" " + testModel, thirdParty},
	{"\t" + testModel, thirdParty},
	{"\ufeff" + testModel, thirdParty},
	{"@cf%2Fmeta%2Fllama-3.1-8b-instruct-fp8", thirdParty},
	{"%40cf/meta/llama", thirdParty},
	{"@cf\\meta\\llama", thirdParty},
	{"＠cf/meta/llama", thirdParty},
	{"openai%2Fgpt-4.1", thirdParty},

	{"Workers-AI/" + testModel, pathOfAPI},
	{"workers-ai/openai/gpt-4.1", pathOfAPI},
	{"workers-ai/workers-ai/" + testModel, pathOfAPI},
	{"v1/chat/completions", pathOfAPI},
	{"v1/responses", pathOfAPI},
	{"run/" + testModel, pathOfAPI},
	{"run/openai/gpt-4.1", pathOfAPI},
	{"models/search", pathOfAPI},
	{"universal", pathOfAPI},
	{"compat/chat/completions", pathOfAPI},
	{"/v1/chat/completions", pathOfAPI},
	{"/" + testModel, pathOfAPI},
	{"../v1/chat/completions", pathOfAPI},
}

// counted is an upstream that counts the calls it gets and answers each alike.
type counted struct{ calls atomic.Int64 }

func (u *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	u.calls.Add(1)
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(`{"object":"chat.completion","usage":{"prompt_tokens":7,` +
			`"completion_tokens":1}}`)),
	}, nil
}

// Which models are called is decided by their names alone, however and on whichever path they come. Of a name that is
// refused nothing reaches upstream; one that is billed in dollars costs no neurons.
func TestWhichModelsAreCalled(t *testing.T) {
	type form struct {
		name string
		send func(name string) (path, body string, ok bool)
	}
	inBody := func(path string) func(string) (string, string, bool) {
		return func(name string) (string, string, bool) {
			text, _ := json.Marshal(name)
			return path, `{"model":` + string(text) + `,"max_tokens":9,"input":{"prompt":"x"},"messages":[]}`, true
		}
	}
	inPath := func(before string, escape func(string) string) func(string) (string, string, bool) {
		return func(name string) (string, string, bool) {
			return before + escape(name), `{"prompt":"x","max_tokens":9}`, routing.Plain("/" + name)
		}
	}
	asItIs := func(name string) string { return (&url.URL{Path: name}).EscapedPath() }
	forms := []form{
		{"chat", inBody("/v1/chat/completions")},
		{"responses", inBody("/ai/v1/responses")},
		{"messages", inBody("/v1/messages")},
		{"embeddings", inBody("/v1/embeddings")},
		{"escaped JSON", func(name string) (string, string, bool) {
			text := ""
			for _, r := range name {
				text += fmt.Sprintf(`\u%04x`, r)
			}
			return "/v1/chat/completions", `{"mod\u0065l":"` + text + `","messages":[],"max_tokens":9}`, true
		}},
		{"run, in the body", inBody("/run")},
		{"run", inPath("/run/", asItIs)},
		{"run, %2F", inPath("/ai/run/", url.PathEscape)},
		{"run of the account", inPath("/client/v4/accounts/"+testAccount+"/ai/run/", asItIs)},
	}
	for _, who := range []struct {
		name    string
		refused bool // other people's models are
		change  func(*Config)
	}{
		{"our token", true, func(*Config) {}},
		{"our token, observed", true, func(c *Config) { c.Ledger = nil }},
		{"our token, opted in", false, func(c *Config) { c.AllowedModels = modelname.List{"*"} }},
		{"the caller's token", false, withoutToken},
	} {
		t.Run(who.name, func(t *testing.T) {
			upstream := &counted{}
			g := newGuarded(t, quota.Options{}, workersai.Options{}, who.change,
				func(c *Config) { c.Transport = upstream })
			defer g.close()
			refused, counts := 0, g.config.Ledger != nil
			for _, m := range namesOfModels {
				before, ended := labelled(g), map[string]float64{} // by label
				for _, f := range forms {
					path, body, ok := f.send(m.name)
					if !ok {
						continue // it is no path of this proxy
					}
					want, label := "", "third_party"
					run := strings.HasPrefix(f.name, "run")
					switch {
					case m.kind == ofWorkersAI:
						if label = modelname.Canonical(m.name); !g.proxy.models.has(label) {
							label = metrics.Other
						}
					case run && m.kind == pathOfAPI:
						want = "invalid_model_id"
					case who.refused:
						want = "model_not_allowed"
						refused++
					}
					called, used := upstream.calls.Load(), g.ledger.Snapshot().Account.Used
					ended[label]++
					res := g.post(path, body, "Authorization", "Bearer the-callers-own-token")
					called, used = upstream.calls.Load()-called, g.ledger.Snapshot().Account.Used-used
					var e envelope
					_ = json.Unmarshal(res.Body.Bytes(), &e)
					if e.Error.Name != want {
						t.Errorf("%q, %s: got %d %q, want %q", m.name, f.name, res.Code, e.Error.Name, want)
						continue
					}
					wantCalls := int64(1)
					if want != "" {
						wantCalls = 0
					}
					if called != wantCalls {
						t.Errorf("%q, %s: got %d calls upstream, want %d", m.name, f.name, called, wantCalls)
					}
					if booked := used > 0; booked != (counts && m.kind == ofWorkersAI) {
						t.Errorf("%q, %s: got %v neurons booked, want some: %v", m.name, f.name, used.Float(),
							counts && m.kind == ofWorkersAI)
					}
					if want == "model_not_allowed" {
						checkNotAllowed(t, e, m.name)
					}
				}
				for label, n := range labelled(g) {
					if got := n - before[label]; got != ended[label] {
						t.Errorf("%q: got %v calls with the label %q, want %v", m.name, got, label, ended[label])
					}
				}
			}
			if n := (&bench{t: t, metrics: g.config.Metrics}).value("neuronward_preempted_total", "reason", "model",
				"mode", "enforce"); n != float64(refused) {
				t.Errorf("got %v calls counted as refused for their model, want %d", n, refused)
			}
		})
	}
	if n := len(namesOfModels); n < 60 {
		t.Errorf("got a table of %d names, want 60 at least", n)
	}
}

// labelled is how many calls have ended, by the label of their model.
func labelled(g *guarded) map[string]float64 {
	families, err := g.config.Metrics.Gatherer().Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	ended := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "neuronward_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "model" {
					ended[l.GetValue()] += m.GetCounter().GetValue()
				}
			}
		}
	}
	return ended
}

func checkNotAllowed(t *testing.T, e envelope, name string) {
	t.Helper()
	wantEqual(t, name+": status", e.Error.Status, 403)
	wantEqual(t, name+": number", e.Error.Number, 90016)
	wantEqual(t, name+": code", e.Error.Code, "model_not_found")
	wantEqual(t, name+": origin", e.Error.Origin, "guard")
	wantEqual(t, name+": fault", e.Error.Fault, "caller")
	wantEqual(t, name+": retryable", e.Error.Retryable, false)
	if e.Error.Param == nil {
		t.Errorf("%q: got no parameter, want model", name)
	} else if *e.Error.Param != "model" {
		t.Errorf("%q: got the parameter %s, want model", name, *e.Error.Param)
	}
	for _, want := range []string{strings.TrimSpace(name), "dollars", "NEURONWARD_MODELS"} {
		if !strings.Contains(e.Error.Message, want) {
			t.Errorf("%q: got the message %q, want it to say %q", name, e.Error.Message, want)
		}
	}
}

// A day that is spent does not end calls that cost no neurons, and they count for the client's own limit alone.
func TestAThirdPartyModelIsUnmetered(t *testing.T) {
	g := newGuarded(t, quota.Options{Limit: quota.OneNeuron}, workersai.Options{}, func(c *Config) {
		c.Transport, c.AllowedModels = &counted{}, modelname.List{"openai/*", "@cf/*"}
	}, withClients(t, "team, daily_neurons: 1"))
	defer g.close()
	g.ledger.Block(time.Time{})
	key := []string{"Authorization", "Bearer " + keyOf("team")}
	for i := range 11 {
		if res := g.post(chatPath, strings.Replace(chat, testModel, "openai/gpt-4.1", 1), key...); res.Code != 200 {
			t.Fatalf("call %d: got %d %s, want 200", i, res.Code, res.Body)
		}
	}
	if res := g.post(chatPath, chat, key...); res.Code != 429 {
		t.Errorf("got %d for a model of Workers AI, want 429", res.Code)
	}
	if used := g.ledger.Snapshot().Account.Used; used != 0 {
		t.Errorf("got %v neurons booked, want 0", used.Float())
	}
	for _, want := range []string{`"model":"openai/gpt-4.1"`, `"neurons":"0"`, `"basis":"unmetered"`} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("got a log without %s, want it:\n%s", want, g.log)
		}
	}
	families, err := g.config.Metrics.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			found = found || f.GetName() == "neuronward_neurons_total" &&
				matches(m, []string{"model", "third_party", "basis", "unmetered", "client", "team"})
		}
	}
	if !found {
		t.Error("got no series of unmetered calls, want one")
	}
}

// An AI Gateway's path of Workers AI takes no other models, so that they are refused even where they are allowed.
func TestThirdPartyModelsThroughAGateway(t *testing.T) {
	called := false
	b := behindGateway(t, func(w http.ResponseWriter, r *http.Request) {
		called = true
		answerJSON(200, `{"choices":[]}`)(w, r)
	}, http.NotFound)
	b.proxy.allowed.list = modelname.List{"*"}
	for _, c := range []struct{ path, body, want string }{
		{chatPath, `{"model":"openai/gpt-4.1","messages":[]}`, "model_not_allowed"},
		{"/run", `{"model":"openai/gpt-4.1","input":{}}`, "model_not_allowed"},
		{"/run/openai/gpt-4.1", `{}`, "model_not_allowed"},
		{"/run", `{"model":"v1/chat/completions","input":{"model":"openai/gpt-4.1"}}`, "bad_input"},
		{"/run", `{"model":"v1/chat/completions","input":{}}`, "invalid_model_id"},
		{"/run/v1/chat/completions", `{"model":"openai/gpt-4.1"}`, "invalid_model_id"},
		{"/run/universal", `{}`, "invalid_model_id"},
		{"/run/models/search", `{}`, "invalid_model_id"},
	} {
		if _, body := b.do("POST", c.path, c.body); b.envelope(body).Error.Name != c.want {
			t.Errorf("%s %s: got %.200s, want %s", c.path, c.body, body, c.want)
		}
	}
	if called {
		t.Error("got a refused call at the gateway, want none")
	}
	if res, body := b.do("POST", "/run/workers-ai/"+testModel, `{"prompt":"x"}`); res.StatusCode != 200 {
		t.Errorf("got %d %s for a model of Workers AI, want 200", res.StatusCode, body)
	}
}
