package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// A shape is a call whose answer the simulator gives a form of its own.
type shape struct {
	name, path, body string
	says             bool // the answer's body says tokens and neurons
	priced           bool // or what makes its price to the millionth
}

const askOfNeurons = `"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Tell me of neurons and what they cost"}]`

// shapes are every task and protocol: models that stream in the older and in the
// newer form, and one that bills cached tokens less.
func shapes() []shape {
	var all []shape
	for _, model := range []string{testModel, "@cf/qwen/qwen3-30b-a3b-fp8", "@cf/zai-org/glm-5.3-flash"} {
		for _, stream := range []string{``, `,"stream":true`} {
			for _, kind := range []struct{ name, more string }{
				{"", ""},
				{", cut short", `,"max_tokens":3`},
				{", a call", `,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"required"`},
			} {
				what := model + stream + kind.name
				all = append(
					all,
					shape{name: "run " + what, path: "run/" + model, body: `{` + askOfNeurons + stream + kind.more + `}`},
					shape{name: "chat " + what, path: "v1/chat/completions", body: `{"model":"` + model + `",` + askOfNeurons + stream + kind.more + `}`},
					shape{name: "messages " + what, path: "v1/messages", body: `{"model":"` + model + `",` + askOfNeurons + stream + kind.more + `}`},
					shape{
						name: "responses " + what, path: "v1/responses",
						body: `{"model":"` + model + `","input":"Tell me of neurons"` + stream + strings.Replace(kind.more, "max_tokens", "max_output_tokens", 1) + `}`,
					},
				)
			}
		}
	}
	picture := base64.StdEncoding.EncodeToString([]byte("a picture"))
	all = append(
		all,
		shape{name: "embeddings", path: "run/@cf/baai/bge-base-en-v1.5", body: `{"text":["one two","three"]}`},
		shape{name: "embeddings, in meta", path: "run/@cf/qwen/qwen3-embedding-0.6b", body: `{"text":"one"}`},
		shape{name: "reranker", path: "run/@cf/baai/bge-reranker-base", body: `{"query":"green apple","contexts":[{"text":"a red car"},{"text":"a green apple"}]}`},
		shape{name: "an embedding model that ranks", path: "run/@cf/baai/bge-m3", body: `{"query":"apple","contexts":[{"text":"apple"}]}`},
		shape{name: "translation", path: "run/@cf/meta/m2m100-1.2b", body: `{"text":"good day","target_lang":"fr"}`},
		shape{name: "translation to Indian languages", path: "run/@cf/ai4bharat/indictrans2-en-indic-1B", body: `{"text":["good day"],"target_language":"tam_Taml"}`},
		shape{name: "image to text", path: "run/@cf/moondream/moondream3.1-9B-A2B", body: `{"image":"data:image/png;base64,` + picture + `","prompt":"What is it?"}`},
	)
	for i := range all {
		all[i].says = true
	}
	audio := `{"audio":"` + base64.StdEncoding.EncodeToString(make([]byte, 100_000)) + `"}`
	return append(
		all,
		shape{name: "OpenAI's embeddings, which say nothing", path: "v1/embeddings", body: `{"model":"@cf/baai/bge-base-en-v1.5","input":["one two","three"]}`},
		shape{name: "Whisper", path: "run/@cf/openai/whisper", body: audio, priced: true},
		shape{name: "Whisper, turbo", path: "run/@cf/openai/whisper-large-v3-turbo", body: audio, priced: true},
		shape{name: "Deepgram", path: "run/@cf/deepgram/nova-3", body: audio, priced: true},
		shape{name: "voice activity", path: "run/@cf/pipecat-ai/smart-turn-v2", body: audio},
		shape{name: "speech as bytes", path: "run/@cf/deepgram/aura-1", body: `{"text":"Hello there"}`},
		shape{name: "speech in JSON", path: "run/@cf/myshell-ai/melotts", body: `{"prompt":"Hello there"}`},
		shape{name: "an image in JSON", path: "run/@cf/black-forest-labs/flux-1-schnell", body: `{"prompt":"a cat","width":256,"height":256}`},
		shape{name: "an image as bytes", path: "run/@cf/leonardo/phoenix-1.0", body: `{"prompt":"a cat","width":256,"height":256}`},
		shape{name: "classification of text", path: "run/@cf/huggingface/distilbert-sst-2-int8", body: `{"text":"` + strings.Repeat("good ", 2000) + `"}`},
		shape{name: "classification of an image", path: "run/@cf/microsoft/resnet-50", body: `{"image":[1,2,3]}`},
		shape{name: "a batch", path: "run/" + testModel + "?queueRequest=true", body: `{"requests":[{"prompt":"one two"},{"prompt":"three"}]}`},
	)
}

// Whatever the form of an answer and however its bytes come, a call is counted as
// it was billed: to the millionth where the body says it, else not below, and with
// cf-ai-neurons no more than a hundredth above.
func TestEveryShapeIsCounted(t *testing.T) {
	for _, size := range []int{1, 7, 4096} {
		for _, header := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes at once, header %v", size, header), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					g := newGuarded(t, quota.Options{Limit: 1_000_000 * neuron}, workersai.Options{}, func(c *Config) {
						c.Transport = splitting{next: c.Transport, size: size, header: header}
					})
					defer g.close()
					for _, c := range shapes() {
						usedBefore, billedBefore := g.ledger.Snapshot().Account.Used, g.sim.Billed()
						w := g.post("/ai/"+c.path, c.body)
						if c.name == "a batch" { // its cost is known when it is done
							id, _ := readAnswer(w.Body.String()).batch()
							for range 2 {
								w = g.post("/ai/"+c.path, `{"request_id":"`+id+`"}`)
							}
						}
						used, billed := g.ledger.Snapshot().Account.Used-usedBefore, g.sim.Billed()-billedBefore
						exact := c.says || c.priced && !header || c.name == "a batch"
						told := header && w.Header().Get("X-Neuronward-Neurons") > "0.00"
						if w.Code != http.StatusOK || billed == 0 || used < billed || exact && used != billed || told && used > billed+neuron/100 {
							t.Errorf("%s: %d, used %d, billed %d", c.name, w.Code, int64(used), int64(billed))
						}
					}
				})
			})
		}
	}
}

// splitting is a transport whose answers come in pieces, with cf-ai-neurons or
// without.
type splitting struct {
	next   http.RoundTripper
	size   int
	header bool
}

func (s splitting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if !s.header {
		res.Header.Del("Cf-Ai-Neurons")
	}
	res.Body = smallReads{res.Body, s.size}
	return res, nil
}

// smallReads is a body that gives at most size bytes at once.
type smallReads struct {
	io.ReadCloser
	size int
}

func (p smallReads) Read(b []byte) (int, error) { return p.ReadCloser.Read(b[:min(len(b), p.size)]) }
