package workersai

import "github.com/neuronward/neuronward/quota/workload"

type modelSchema struct {
	Input  any `json:"input"`
	Output any `json:"output"`
}

// schema answers GET models/schema?model=… with the outline of a model's input
// and output.
func (x *exchange) schema() *failure {
	m, ok := x.s.models[x.r.URL.Query().Get("model")]
	if !ok {
		return refuseText(5007, "No such model: No such model %s or task", x.r.URL.Query().Get("model"))
	}
	object := map[string]any{"type": "object"}
	in := map[string]any{"type": "object", "oneOf": inputsOf(m.task)}
	return x.reads(wrap(modelSchema{Input: in, Output: object}))
}

func inputsOf(t workload.Task) []map[string]any {
	var all []map[string]any
	names := map[workload.Task][]string{
		workload.TextGeneration: {"prompt", "messages"}, workload.TextEmbeddings: {"text"},
		workload.TextToImage:       {"prompt"},
		workload.SpeechRecognition: {"audio"}, workload.VoiceActivity: {"audio"},
		workload.ImageClassification: {"image"},
		workload.ImageToText:         {"image"}, objectDetection: {"image"}, summarization: {"input_text"},
	}[t]
	if names == nil {
		names = []string{"text"}
	}
	for _, name := range names {
		all = append(all, map[string]any{"required": []string{name}})
	}
	return all
}
