package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/outputlimit"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// bodiesSeen is an upstream that keeps what it was sent.
type bodiesSeen struct {
	mu      sync.Mutex
	bodies  []string
	lengths []int64
	headers []http.Header
	answers http.Handler // nil: a short answer
}

func (u *bodiesSeen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.bodies, u.lengths = append(u.bodies, string(body)), append(u.lengths, r.ContentLength)
	u.headers = append(u.headers, r.Header)
	u.mu.Unlock()
	if u.answers != nil {
		u.answers.ServeHTTP(w, r)
		return
	}
	answerJSON(200, `{"result":{"response":"ok"},"success":true,"errors":[],"messages":[]}`)(w, r)
}

// withOutputLimit sets the limit of calls that name none.
func withOutputLimit(text string) func(*Config) {
	d, err := outputlimit.Parse(text, strconv.Quote)
	if err != nil {
		panic(err)
	}
	return func(c *Config) { c.OutputLimit = d }
}

func TestDefaultMaxTokens(t *testing.T) {
	const gptOSS, newModel = "@cf/openai/gpt-oss-120b", "@cf/new/model"
	ofModel := func(model, rest string) string { return `{"model":"` + model + `",` + rest + `}` }
	put := func(body, field string) string { return strings.Replace(body, "{", `{"`+field+`":77,`, 1) }
	prompt, hello := `{"prompt":"Hello"}`, `"messages":[{"role":"user","content":"Hello"}]`
	for _, c := range []struct {
		name, path, body string
		want             string // "": unchanged
		gateway          bool
		change           func(*Config)
		header           []string
	}{
		{name: "chat completions", path: "/v1/chat/completions", body: chat, want: put(chat, "max_tokens")},
		{
			name: "a stream", path: "/v1/chat/completions", body: ofModel(testModel, `"stream":true,`+hello),
			want: put(ofModel(testModel, `"stream":true,`+hello), "max_tokens"),
		},
		{name: "messages", path: "/v1/messages", body: chat, want: put(chat, "max_tokens")},
		{
			name: "responses", path: "/v1/responses", body: ofModel(gptOSS, `"input":"Hello"`),
			want: put(ofModel(gptOSS, `"input":"Hello"`), "max_output_tokens"),
		},
		{name: "native", path: "/run/" + testModel, body: prompt, want: put(prompt, "max_tokens")},
		{
			name: "native with the model in the body", path: "/run", body: ofModel(testModel, `"input":`+prompt),
			want: ofModel(testModel, `"input":`+put(prompt, "max_tokens")),
		},
		{
			name: "likewise, through a gateway", path: "/run", gateway: true,
			body: ofModel(testModel, `"input":`+prompt), want: put(prompt, "max_tokens"),
		},
		{
			name: "a batch", path: batchPath, body: `{"requests":[` + prompt + `,{"max_tokens":9,"prompt":"x"},{}]}`,
			want: `{"requests":[` + put(prompt, "max_tokens") + `,{"max_tokens":9,"prompt":"x"},{"max_tokens":77}]}`,
		},
		{
			name: "a model that nobody knows, in chat completions", path: "/v1/chat/completions",
			body: ofModel(newModel, hello), want: put(ofModel(newModel, hello), "max_tokens"),
		},
		{
			name: "null", path: "/v1/chat/completions", body: ofModel(testModel, `"max_tokens":null,`+hello),
			want: ofModel(testModel, `"max_tokens":77,`+hello),
		},
		{
			name: "a byte order mark and space", path: "/v1/chat/completions", body: "\ufeff\n" + chat + "\n ",
			want: "\ufeff\n" + put(chat, "max_tokens") + "\n ",
		},
		{
			name: "with the caller's own token", path: "/v1/chat/completions", body: chat,
			want:   put(chat, "max_tokens"),
			change: func(c *Config) { c.Token = nil }, header: []string{"Authorization", "Bearer own"},
		},

		{name: "the caller's limit", path: "/v1/chat/completions", body: ofModel(testModel, `"max_tokens":9,`+hello)},
		{
			name: "the caller's limit by its new name", path: "/v1/chat/completions",
			body: ofModel(testModel, hello+`,"max_completion_tokens":9`),
		},
		{name: "an embedding", path: "/v1/embeddings", body: ofModel("@cf/baai/bge-m3", `"input":"Hello"`)},
		{name: "a translation", path: "/run/@cf/meta/m2m100-1.2b", body: `{"text":"Hello","target_lang":"fr"}`},
		{name: "a picture", path: "/run/@cf/black-forest-labs/flux-1-schnell", body: prompt},
		{name: "a model whose output is free", path: "/run/@cf/cloudflare/clef", body: `{"state":"x"}`},
		{name: "a model that nobody knows, native", path: "/run/" + newModel, body: prompt},
		{name: "a poll", path: batchPath, body: `{"request_id":"r-1"}`},
		{name: "a poll without the query", path: "/run/" + testModel, body: `{"request_id":"r-1"}`},
		{
			name: "another account", path: "/client/v4/accounts/fedcba9876543210fedcba9876543210/ai/run/" + testModel,
			body: prompt, change: func(c *Config) { c.Token = nil }, header: []string{"Authorization", "Bearer own"},
		},
		{
			name: "another provider's model", path: "/v1/chat/completions", body: ofModel("openai/gpt-5", hello),
			change: func(c *Config) { c.AllowedModels = modelname.List{"*"} },
		},
		{
			name: "nobody asks for it", path: "/v1/chat/completions", body: chat,
			change: func(c *Config) { c.OutputLimit = outputlimit.Default{} },
		},
	} {
		for mode, guarded := range guardModes {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				upstream := &bodiesSeen{}
				changes := []func(*Config){guarded(t), withOutputLimit("77")}
				if c.gateway {
					changes = append(changes, func(c *Config) {
						c.API = c.Upstream
						c.Upstream = &url.URL{Scheme: "http", Host: c.Upstream.Host, Path: "/v1/" + testAccount + "/gw"}
					})
				}
				if c.change != nil {
					changes = append(changes, c.change)
				}
				b := newBench(t, upstream, changes...)
				res, answer := b.do("POST", c.path, c.body, c.header...)
				if res.StatusCode != 200 || len(upstream.bodies) != 1 {
					t.Fatalf("got %d %s with %d calls upstream, want 200 with one", res.StatusCode, answer,
						len(upstream.bodies))
				}
				b.ended()
				want, told := c.want, "77"
				if want == "" {
					want, told = c.body, ""
				}
				wantEqual(t, "body", upstream.bodies[0], want)
				wantEqual(t, "Content-Length", upstream.lengths[0], int64(len(want)))
				wantEqual(t, "header of the answer", res.Header.Get("X-Neuronward-Max-Tokens-Set"), told)
				if told != "" {
					wantHas(t, "log", b.log.String(), `"max_tokens_set":77`)
				} else {
					wantLacks(t, "log", b.log.String(), "max_tokens_set")
				}
			})
		}
	}
}

// Each attempt at a call sends the same changed body, and a digest of what came is no digest of it.
func TestDefaultMaxTokensIsRepeated(t *testing.T) {
	virtually(t, func(t *testing.T) {
		attempts := 0
		upstream := &bodiesSeen{answers: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if attempts++; attempts < 3 {
				answerJSON(429, `{"errors":[{"code":3040,"message":"No capacity"}],"success":false}`)(w, r)
				return
			}
			answerJSON(200, `{"choices":[]}`)(w, r)
		})}
		g := newGuarded(t, quota.Options{}, workersai.Options{}, withOutputLimit("77"), func(c *Config) {
			c.Transport, c.Retries, c.RetryBudget = inMemory{upstream}, 2, 1
		})
		defer g.close()
		long := strings.Replace(chat, "Hello", strings.Repeat("Hello ", 50_000), 1) // in several pieces
		digests := []string{"Digest", "sha-256=AA==", "Content-Digest", "sha-256=:AA==:", "Content-Md5", "AA=="}
		if w := g.post(chatPath, long, digests...); w.Code != 200 {
			t.Fatalf("got %d %s, want 200", w.Code, w.Body)
		}
		want := strings.Replace(long, "{", `{"max_tokens":77,`, 1)
		if got := len(upstream.bodies); got != 3 {
			t.Fatalf("got %d attempts, want 3", got)
		}
		for i, got := range upstream.bodies {
			if got != want {
				t.Errorf("attempt %d: got %d bytes %.60q, want %d bytes %.60q", i+1, len(got), got, len(want), want)
			}
			for _, name := range []string{"Digest", "Content-Digest", "Content-Md5"} {
				wantEqual(t, name, upstream.headers[i].Get(name), "")
			}
		}
		g.post(chatPath, strings.Replace(chat, "{", `{"max_tokens":5,`, 1), digests...)
		wantEqual(t, "Digest of what is sent unchanged", upstream.headers[3].Get("Digest"), "sha-256=AA==")
	})
}

// What is set aside goes by the limit that was put in: with a day of 20 neurons a model without a default can be called
// at all, and its answers end there, by Workers AI's own bill.
func TestDefaultMaxTokensBoundsTheBill(t *testing.T) {
	const model = "@cf/zai-org/glm-4.7-flash" // documents no default
	row, _ := price.Embedded().Row(model)
	for _, c := range []struct{ name, path, body string }{
		{"chat completions", chatPath, `{"model":"` + model + `","messages":[{"role":"user","content":"Hello"}]}`},
		{
			"a stream", chatPath,
			`{"model":"` + model + `","stream":true,"messages":[{"role":"user","content":"Hello"}]}`,
		},
		{"responses", "/v1/responses", `{"model":"` + model + `","input":"Hello"}`},
		{"messages", "/v1/messages", `{"model":"` + model + `","messages":[{"role":"user","content":"Hello"}]}`},
		{"native", "/run/" + model, `{"messages":[{"role":"user","content":"Hello"}]}`},
	} {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 20 * neuron}, workersai.Options{}, withOutputLimit("100"))
			w := g.post(c.path, c.body, "X-Simulate", "tokens=5000")
			if w.Code != 200 {
				t.Fatalf("%s: got %d %s, want 200", c.name, w.Code, w.Body)
			}
			s := g.close()
			wantEqual(t, c.name+": used", s.Account.Used, g.sim.Billed())
			if got, most := g.sim.Billed(), row.Tokens(20, 0, 100); got > most || got < most/2 {
				t.Errorf("%s: got %v billed, want %v to %v of 100 tokens", c.name, got, most/2, most)
			}
		})
	}
}

// With fit a call gets what is left: of the account, of its client, beside its prompt, and no less than 256 tokens.
func TestFitMaxTokens(t *testing.T) {
	row, _ := price.Embedded().Row(testModel)
	body := func(prompt string) string {
		return `{"model":"` + testModel + `","messages":[{"role":"user","content":"` + prompt + `"}]}`
	}
	long := strings.Repeat("word ", 5000) // of some 5,000 tokens, in a window of 32,000
	for _, c := range []struct {
		name      string
		limit     quota.Neurons
		mode      quota.Mode
		body      string
		low, high int64
		status    int
	}{
		{name: "no limit", body: body("Hello"), low: 16_384, high: 16_384, status: 200},
		{name: "a wide limit", limit: 10_000 * neuron, body: body("Hello"), low: 16_384, high: 16_384, status: 200},
		{name: "what is left", limit: 100 * neuron, body: body("Hello"), low: 3_650, high: 3_827, status: 200},
		{name: "hardly anything is left", limit: 2 * neuron, body: body("Hello"), low: 256, high: 256, status: 429},
		{
			name: "nobody is refused", limit: 2 * neuron, mode: quota.Observe, body: body("Hello"), low: 16_384,
			high: 16_384, status: 200,
		},
		{name: "beside a prompt", body: body(long + long + long), low: 10_000, high: 16_384, status: 200},
		{name: "beside most of a window", body: body(strings.Repeat(long, 5)), low: 3000, high: 7000, status: 200},
		{name: "beside nearly all of it", body: body(strings.Repeat(long, 6)), low: 256, high: 2000, status: 200},
		{name: "beside a prompt that is longer", body: body(strings.Repeat(long, 9)), low: 256, high: 256, status: 413},
	} {
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: c.limit, Mode: c.mode}, workersai.Options{}, withOutputLimit("fit"))
			defer g.close()
			w := g.post(chatPath, c.body)
			got, _ := strconv.ParseInt(w.Header().Get("X-Neuronward-Max-Tokens-Set"), 10, 64)
			if got < c.low || got > c.high {
				t.Errorf("%s: got a limit of %d tokens, want %d to %d", c.name, got, c.low, c.high)
			}
			if w.Code != c.status {
				t.Errorf("%s: got %d %.300s, want %d", c.name, w.Code, w.Body, c.status)
			}
			if c.mode == quota.Enforce && c.limit > 0 && row.Tokens(0, 0, got+1) > c.limit && got > 256 {
				t.Errorf("%s: got %d tokens, want no more than %v neurons pay", c.name, got, c.limit)
			}
		})
	}
}

// A batch gets one limit for all of its requests, so that all of it fits.
func TestFitMaxTokensOfABatch(t *testing.T) {
	virtually(t, func(t *testing.T) {
		seen := &bodiesSeen{}
		g := newGuarded(t, quota.Options{Limit: 100 * neuron}, workersai.Options{}, withOutputLimit("fit"),
			func(c *Config) { c.Transport = inMemory{seen} })
		defer g.close()
		w := g.post(batchPath, `{"requests":[{"prompt":"a"},{"prompt":"b","max_tokens":100},{"prompt":"c"}]}`)
		if w.Code != 200 {
			t.Fatalf("got %d %s, want 200", w.Code, w.Body)
		}
		var sent struct {
			Requests []struct {
				MaxTokens int64 `json:"max_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(seen.bodies[0]), &sent); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range sent.Requests {
			got = append(got, fmt.Sprint(r.MaxTokens))
		}
		limit := sent.Requests[0].MaxTokens
		if want := []string{fmt.Sprint(limit), "100", fmt.Sprint(limit)}; !slices.Equal(got, want) {
			t.Errorf("got limits %v, want %v", got, want)
		}
		row, _ := price.Embedded().Row(testModel)
		most := row.Tokens(0, 0, 2*limit+100)
		if low := 90 * neuron; most > 100*neuron || most < low {
			t.Errorf("got limits %v that cost %v at most, want %v to 100", got, most, low)
		}
	})
}
