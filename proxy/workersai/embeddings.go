package workersai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
)

// maxTexts is how many texts one embedding call takes.
const maxTexts = 100

type embeddingResult struct {
	Shape   [2]int      `json:"shape"`
	Data    [][]float32 `json:"data"`
	Pooling string      `json:"pooling,omitempty"`
	Usage   *usage      `json:"usage,omitempty"`
	Meta    *usage      `json:"meta,omitempty"`
}

type embeddingList struct {
	Object string      `json:"object"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or base64 of little-endian float32
}

// embeddings answers POST run for an embedding model.
func (x *exchange) embeddings() *failure {
	if x.in.has("contexts") && x.in.has("query") {
		return x.rerank()
	}
	texts, ok, f := x.in.texts("text")
	if f != nil {
		return f
	}
	if !ok {
		return badInput("oneOf at '/' not met, 0 matches: required properties at '/' are 'text', required " +
			"properties at '/' are 'requests'")
	}
	vectors, f := x.embed("text", texts)
	if f != nil {
		return f
	}
	result := embeddingResult{Shape: [2]int{len(vectors), x.dimensions()}, Data: vectors, Pooling: "cls"}
	if strings.HasPrefix(x.model.name, "@cf/qwen/") { // both places were seen
		result.Meta = &x.usage
	} else {
		result.Usage = &x.usage
	}
	return x.answer(wrap(result))
}

// openAIEmbeddings answers POST v1/embeddings, which says nothing of usage.
func (x *exchange) openAIEmbeddings() *failure {
	if x.dimensions() == 0 {
		return refuseText(5007, "No such model: No such model %s or task", x.model.name)
	}
	texts, ok, f := x.in.tokens("input")
	if f == nil && !ok {
		texts, ok, f = x.in.texts("input")
	}
	if f != nil {
		return f
	}
	if !ok {
		return badInput("required properties at '/' are 'input'")
	}
	format, _, f := x.in.text("encoding_format")
	if f != nil {
		return f
	}
	vectors, f := x.embed("input", texts)
	if f != nil {
		return f
	}
	list := embeddingList{Object: "list", Model: x.model.name, Data: make([]embedding, len(vectors))}
	for i, v := range vectors {
		list.Data[i] = embedding{Object: "embedding", Index: i, Embedding: v}
		if format == "base64" {
			var raw []byte
			for _, c := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(c))
			}
			list.Data[i].Embedding = base64.StdEncoding.EncodeToString(raw)
		}
	}
	return x.answer(list)
}

// embed bills texts and returns a unit vector for each.
func (x *exchange) embed(field string, texts []string) ([][]float32, *failure) {
	if len(texts) == 0 || len(texts) > maxTexts {
		return nil, badInput("'/%s' must hold 1 to %d items", field, maxTexts)
	}
	var tokens int64
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		tokens += CountTokens(text)
		vectors[i] = x.vector(text)
	}
	x.spendTokens(tokens, 0, 0)
	return vectors, nil
}

// dimensions returns the length of the model's vectors, 0 if it makes none.
func (x *exchange) dimensions() int {
	switch x.model.name {
	case "@cf/baai/bge-small-en-v1.5":
		return 384
	case "@cf/baai/bge-base-en-v1.5":
		return 768
	case "@cf/pfnet/plamo-embedding-1b":
		return 2048
	}
	if x.model.task != "text-embeddings" {
		return 0
	}
	return 1024
}

// vector is a direction that depends on the model and text alone.
func (x *exchange) vector(text string) []float32 {
	h := x.hash(text)
	rnd := rand.New(rand.NewPCG(h, 1)) //nolint:gosec // made-up figures, not secrets
	v := make([]float32, x.dimensions())
	var sum float64
	for i := range v {
		c := rnd.NormFloat64()
		v[i] = float32(c)
		sum += c * c
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}
