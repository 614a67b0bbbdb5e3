package price

import (
	"cmp"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota/workload"
)

// nameHints say which task a part of a model's name stands for. Only tasks that
// are dearer than a language model, or billed by other units, are listed.
var nameHints = []struct {
	part string
	task workload.Task
}{
	{"flux", workload.TextToImage},
	{"image", workload.TextToImage},
	{"phoenix", workload.TextToImage},
	{"lucid", workload.TextToImage},
	{"whisper", workload.SpeechRecognition},
	{"nova-", workload.SpeechRecognition},
	{"deepgram/flux", workload.SpeechRecognition},
	{"asr", workload.SpeechRecognition},
	{"aura-", workload.TextToSpeech},
	{"tts", workload.TextToSpeech},
	{"speech", workload.TextToSpeech},
}

// betas are parts of the names of image models that are free since before Workers
// AI billed in neurons ($0.00 a step). No table has them, and the bound of the
// dearest image model would shut them off.
var betas = []string{"stable-diffusion", "dreamshaper"}

// tasks returns the tasks that a call of a model without a price may be of: the model's own or that of the call where
// one is known, else all that its fields and the model's name suggest. Without any the call is taken for the cheapest
// there is.
func (r *request) tasks(m *Model) []workload.Task {
	model := strings.ToLower(m.Name)
	if slices.ContainsFunc(betas, func(part string) bool { return strings.Contains(model, part) }) {
		return nil
	}
	if task := cmp.Or(m.Task, r.Task); task != "" {
		return []workload.Task{task}
	}
	var tasks []workload.Task
	audio := r.AudioSeconds > 0 || r.AudioBytes > 0
	if r.PromptBytes > 0 || (!audio && r.Images <= 0) {
		tasks = append(tasks, workload.TextGeneration)
	}
	if audio {
		tasks = append(tasks, workload.SpeechRecognition, workload.VoiceActivity)
	}
	if r.Images > 0 {
		tasks = append(tasks, workload.ImageToText, workload.ImageClassification)
	}
	// The field n is also the number of chat answers, and so no sign of images by itself.
	if r.Width > 0 || r.Height > 0 || r.Steps > 0 || r.MakeImages > max(r.Answers, 0) {
		tasks = append(tasks, workload.TextToImage)
	}
	for _, hint := range nameHints {
		if strings.Contains(model, hint.part) {
			tasks = append(tasks, hint.task)
		}
	}
	return tasks
}
