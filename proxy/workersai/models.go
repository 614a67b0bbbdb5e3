package workersai

import (
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// Tasks of models that the price table does not have: they are in beta and cost
// nothing.
const (
	objectDetection quota.Task = "object-detection"
	summarization   quota.Task = "summarization"
)

// model is one model of the simulated account.
type model struct {
	name  string
	price price.Row
	task  quota.Task
	beta  bool // not billed: it has no price
}

// unpriced are some of the models that Workers AI has and does not bill.
var unpriced = map[string]quota.Task{
	"@cf/stabilityai/stable-diffusion-xl-base-1.0": quota.TextToImage,
	"@cf/bytedance/stable-diffusion-xl-lightning":  quota.TextToImage,
	"@cf/lykon/dreamshaper-8-lcm":                  quota.TextToImage,
	"@cf/llava-hf/llava-1.5-7b-hf":                 quota.ImageToText,
	"@cf/facebook/detr-resnet-50":                  objectDetection,
	"@cf/facebook/bart-large-cnn":                  summarization,
}

// catalog returns the models of a price table and the unpriced ones, by name.
func catalog(prices *price.Table) (map[string]model, []string) {
	models := make(map[string]model)
	for name, task := range unpriced {
		models[name] = model{name: name, task: task, beta: true}
	}
	for _, name := range prices.Models() {
		price, _ := prices.Row(name)
		models[name] = model{name: name, price: price, task: price.Task}
	}
	names := make([]string, 0, len(models))
	for name := range models {
		names = append(names, name)
	}
	slices.Sort(names)
	return models, names
}

func isTask(t quota.Task) bool {
	return t == objectDetection || t == summarization || slices.Contains(quota.Tasks(), t)
}

// newer are the families whose native answers have the shape of OpenAI's chat
// completions. All others answer with result.response.
var newer = []string{
	"@cf/openai/", "@cf/qwen/qwen3", "@cf/zai-org/", "@cf/moonshotai/", "@cf/nvidia/", "@cf/google/gemma-4",
	"@cf/ibm-granite/", "@cf/deepseek-ai/deepseek-v4", "@cf/aisingapore/", "@cf/cloudflare/",
}

func (m model) newer() bool {
	return slices.ContainsFunc(newer, func(family string) bool { return strings.HasPrefix(m.name, family) })
}

// windows are context windows in tokens; the first family that fits holds.
var windows = []struct {
	family string
	tokens int64
}{
	{"@cf/meta/llama-2-", 4096},
	{"@cf/meta/llama-3-", 8192},
	{"@cf/mistral/mistral-7b", 2824},
	{"@cf/meta/llama-3.1-8b-instruct", 32_000},
	{"@cf/meta/llama-3.3-70b", 24_000},
	{"@cf/meta/llama-4-scout", 131_000},
	{"@cf/qwen/qwen3-30b", 32_768},
	{"@cf/qwen/qwen2.5-coder", 32_768},
	{"@cf/qwen/qwq", 24_000},
	{"@cf/google/gemma-3", 80_000},
	{"@cf/zai-org/glm-4.7", 131_072},
	{"@cf/zai-org/", 262_144},
	{"@cf/moonshotai/", 262_144},
	{"@cf/deepseek-ai/deepseek-v4", 1_000_000},
	{"@cf/nvidia/", 256_000},
	{"@cf/google/gemma-4", 256_000},
}

// window returns the context window of a text model, in tokens.
func (m model) window() int64 {
	for _, w := range windows {
		if strings.HasPrefix(m.name, w.family) {
			return w.tokens
		}
	}
	return 128_000
}
