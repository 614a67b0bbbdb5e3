package workersai

import (
	"cmp"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// Tasks of models that the price table does not have: they are in beta and cost
// nothing.
const (
	objectDetection workload.Task = "object-detection"
	summarization   workload.Task = "summarization"
)

// model is one model of the simulated account.
type model struct {
	name  string
	price price.Row
	task  workload.Task
	beta  bool // not billed: it has no price
}

// unpriced are some of the models that Workers AI has and does not bill.
var unpriced = map[string]workload.Task{
	"@cf/stabilityai/stable-diffusion-xl-base-1.0": workload.TextToImage,
	"@cf/bytedance/stable-diffusion-xl-lightning":  workload.TextToImage,
	"@cf/lykon/dreamshaper-8-lcm":                  workload.TextToImage,
	"@cf/llava-hf/llava-1.5-7b-hf":                 workload.ImageToText,
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

func isTask(t workload.Task) bool {
	return t == objectDetection || t == summarization || slices.Contains(workload.Tasks(), t)
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

// unknownWindow is the context window of a model of which none is known, in tokens.
const unknownWindow = 128_000

// window returns the context window of a text model, in tokens.
func (m model) window() int64 { return cmp.Or(m.price.ContextWindow, unknownWindow) }
