package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// estimateOf is what a call of a body is estimated at.
func (g *guarded) estimateOf(path, model string, body string) quota.Neurons {
	task := quota.TextGeneration
	if price, ok := price.Embedded().Row(model); ok {
		task = price.Task
	}
	return g.config.Estimator.Estimate(g.config.Estimator.Resolve(model),
		requestOf(&routes[path][0], task, body)).Neurons
}

// A small call's cf-ai-neurons is rounded to 0.00: it cost less than 0.005,
// where the header is known to count.
func TestNeuronsRoundedToZero(t *testing.T) {
	const little = neuron / 100
	embed := `{"model":"@cf/baai/bge-m3","input":"` + strings.Repeat("word ", 2000) + `"}`
	for name, c := range map[string]struct {
		path, model, body, header string
		status                    int
		answer                    string
		want                      quota.Neurons // -1: the estimate
		basis                     string
	}{
		"an embedding without usage": {
			"v1/embeddings", "@cf/baai/bge-m3", embed, "0.00", 200, `{"data":[]}`, little,
			"estimated",
		},
		"a chat without usage": {
			"v1/chat/completions", testModel, chat, "0.00", 200, `{"choices":[]}`, little,
			"estimated",
		},
		"usage goes before": {
			"v1/chat/completions", testModel, chat, "0.00", 200,
			`{"choices":[],"usage":{"neurons":0.002}}`, neuron / 500, "reported",
		},
		"tokens go before": {
			"v1/chat/completions", "@cf/meta/llama-3.2-1b-instruct",
			strings.Replace(chat, testModel, "@cf/meta/llama-3.2-1b-instruct", 1), "0.00", 200,
			`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`, 0, "priced",
		},
		"no header":  {"v1/embeddings", "@cf/baai/bge-m3", embed, "", 200, `{"data":[]}`, -1, "estimated"},
		"no number":  {"v1/embeddings", "@cf/baai/bge-m3", embed, "none", 200, `{"data":[]}`, -1, "estimated"},
		"below zero": {"v1/embeddings", "@cf/baai/bge-m3", embed, "-1", 200, `{"data":[]}`, -1, "estimated"},
		"a failure": {
			"v1/embeddings", "@cf/baai/bge-m3", embed, "0.00", 500,
			`{"errors":[{"code":3046,"message":"Request timeout"}]}`, -1, "estimated",
		},
		"unknown model": {
			"v1/chat/completions", "@cf/x/y", strings.Replace(chat, testModel, "@cf/x/y", 1), "0.00", 200,
			`{"choices":[]}`, neuron / 200, "reported",
		},
		"a submitted batch": {
			"v1/chat/completions", testModel, chat, "0.00", 200,
			`{"result":{"status":"queued","request_id":"r"},"success":true}`, -1, "estimated",
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
				if want < 0 {
					want = g.estimateOf(c.path, c.model, c.body)
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

// A stream that upstream breaks off costs its estimate, whatever it has reported
// along the way: what was on its way then is nowhere told.
func TestCutStreams(t *testing.T) {
	chunk := func(usage string) string {
		return `data: {"id":"c","choices":[{"delta":{"content":"word"},"finish_reason":null}]` + usage + "}\n\n"
	}
	reports := chunk(`,"usage":{"prompt_tokens":30,"completion_tokens":0,"neurons":2}`) +
		strings.Repeat(chunk(`,"usage":{"prompt_tokens":0,"completion_tokens":1,"neurons":0.5}`), 4)
	counts := chunk(`,"usage":{"prompt_tokens":30,"completion_tokens":0}`) +
		strings.Repeat(chunk(`,"usage":{"prompt_tokens":0,"completion_tokens":1}`), 4)
	for _, c := range []struct {
		name, sent string
		silent     bool
	}{
		{"neurons along the way", reports, false},
		{"tokens along the way", counts, false},
		{"no figures", chunk("") + chunk(""), false},
		{"figures, then silence", reports, true},
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
				body := strings.Replace(streamChat, "{", `{"max_tokens":`+strconv.Itoa(4000)+",", 1)
				g.post(chatPath, body)
				want := g.estimateOf("v1/chat/completions", testModel, body)
				if used := g.close().Account.Used; used != want {
					t.Errorf("used %v, want %v\n%s", used, want, g.log)
				}
			})
		})
	}
}
