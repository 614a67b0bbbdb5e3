package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/tokens"
	"github.com/neuronward/neuronward/quota/workload"
)

// estimateOf is what a call of a body is estimated at.
func (g *guarded) estimateOf(path, model string, body string) quota.Neurons {
	task := workload.TextGeneration
	if price, ok := price.Embedded().Row(model); ok {
		task = price.Task
	}
	return g.config.Estimator.Estimate(g.config.Estimator.Resolve(model),
		requestOf(path, task, body)).Neurons
}

// sentOf is what the prompt of a body is taken to cost, and so many tokens of output.
func (g *guarded) sentOf(path, model, body string, output int64) quota.Neurons {
	m := g.config.Estimator.Resolve(model)
	return m.Tokens(m.SentTokens(requestOf(path, m.Task, body)), 0, output)
}

// A cf-ai-neurons of 0.00 says nothing of a model with a price, since some never set it: what passed decides then, else
// the reservation.
func TestNeuronsRoundedToZero(t *testing.T) {
	const estimate, passed = -1, -2
	embed := `{"model":"@cf/baai/bge-m3","input":"` + strings.Repeat("word ", 2000) + `"}`
	for name, c := range map[string]struct {
		path, model, body, header string
		status                    int
		answer                    string
		want                      quota.Neurons
		basis                     string
	}{
		"an embedding without usage": {
			"v1/embeddings", "@cf/baai/bge-m3", embed, "0.00", 200, `{"data":[]}`, passed,
			"estimated",
		},
		"a chat without usage": {
			"v1/chat/completions", testModel, chat, "0.00", 200, `{"choices":[]}`, estimate,
			"estimated",
		},
		"usage goes before": {
			"v1/chat/completions", testModel, chat, "0.00", 200,
			`{"choices":[],"usage":{"neurons":0.002}}`, neuron / 500, "reported",
		},
		"zeros are no figures": {
			"v1/chat/completions", "@cf/meta/llama-3.2-1b-instruct",
			strings.Replace(chat, testModel, "@cf/meta/llama-3.2-1b-instruct", 1), "0.00", 200,
			`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`, estimate, "estimated",
		},
		"no header":  {"v1/embeddings", "@cf/baai/bge-m3", embed, "", 200, `{"data":[]}`, passed, "estimated"},
		"no number":  {"v1/embeddings", "@cf/baai/bge-m3", embed, "none", 200, `{"data":[]}`, passed, "estimated"},
		"below zero": {"v1/embeddings", "@cf/baai/bge-m3", embed, "-1", 200, `{"data":[]}`, passed, "estimated"},
		"a failure": {
			"v1/embeddings", "@cf/baai/bge-m3", embed, "0.00", 500,
			`{"errors":[{"code":3046,"message":"Request timeout"}]}`, estimate, "estimated",
		},
		"unknown model": {
			"v1/chat/completions", "@cf/x/y", strings.Replace(chat, testModel, "@cf/x/y", 1), "0.00", 200,
			`{"choices":[]}`, neuron / 200, "reported",
		},
		"a submitted batch": {
			"v1/chat/completions", testModel, chat, "0.00", 200,
			`{"result":{"status":"queued","request_id":"r"},"success":true}`, estimate, "estimated",
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(conf *Config) {
					conf.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if c.header != "" {
							w.Header().Set("Cf-Ai-Neurons", c.header)
						}
						answerJSON(c.status, c.answer)(w, r)
					})}
				})
				g.post("/"+c.path, c.body)
				want := c.want
				switch want {
				case estimate:
					want = g.estimateOf(c.path, c.model, c.body)
				case passed:
					want = g.sentOf(c.path, c.model, c.body, 0)
				}
				s := g.close()
				if s.Account.Used != want {
					t.Errorf("used %v, want %v", s.Account.Used, want)
				}
				b := &bench{t: t, metrics: g.config.Metrics}
				if n := b.value("neuronward_neurons_total", "basis", c.basis); n != want.Float() {
					t.Errorf("%v by the basis %s, want %v", n, c.basis, want)
				}
			})
		})
	}
}

// A stream that upstream cuts off costs what it has reported or what came, and what its model makes in a second: what
// was on its way then is nowhere told.
func TestCutStreams(t *testing.T) {
	chunk := func(usage string) string {
		return `data: {"id":"c","choices":[{"delta":{"content":"word"},"finish_reason":null}]` + usage + "}\n\n"
	}
	reports := chunk(`,"usage":{"prompt_tokens":30,"completion_tokens":0,"neurons":2}`) +
		strings.Repeat(chunk(`,"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.5}`), 4)
	counts := chunk(`,"usage":{"prompt_tokens":30,"completion_tokens":0}`) +
		strings.Repeat(chunk(`,"usage":{"prompt_tokens":0,"completion_tokens":1}`), 4)
	body := strings.Replace(streamChat, "{", `{"max_tokens":`+strconv.Itoa(4000)+",", 1)
	const second = 100 // tokens
	model := price.Embedded().Resolve(testModel)
	reported := 4*quota.OneNeuron + model.Tokens(0, 0, second)
	for _, c := range []struct {
		name, sent string
		silent     bool
		want       func(*guarded) quota.Neurons
	}{
		{"neurons along the way", reports, false, func(*guarded) quota.Neurons { return reported }},
		{
			"tokens along the way", counts, false,
			func(*guarded) quota.Neurons {
				return model.Tokens(30, 0, tokens.Count([]byte(strings.Repeat("word", 5)))+second)
			},
		},
		{
			"no figures", chunk("") + chunk(""), false,
			func(g *guarded) quota.Neurons {
				return g.sentOf("v1/chat/completions", testModel, body, tokens.Count([]byte("wordword"))+second)
			},
		},
		{"figures, then silence", reports, true, func(*guarded) quota.Neurons { return reported }},
		{
			"nothing", "", false,
			func(g *guarded) quota.Neurons { return g.estimateOf("v1/chat/completions", testModel, body) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(conf *Config) {
					conf.Transport = inMemory{streams(func(_ http.ResponseWriter, r *http.Request, send func(string)) {
						send(c.sent)
						if c.silent {
							<-r.Context().Done()
						}
						panic(http.ErrAbortHandler)
					})}
				})
				g.post(chatPath, body)
				want := c.want(g)
				if used := g.close().Account.Used; used != want {
					t.Errorf("used %v, want %v\n%s", used, want, g.log)
				}
			})
		})
	}
}
