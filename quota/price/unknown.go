package price

import (
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

// named says which task a part of a model's name tells of. Only what is dearer
// than a language model, or billed by something else, is worth telling.
var named = []struct {
	part string
	task quota.Task
}{
	{"flux", quota.TextToImage},
	{"image", quota.TextToImage},
	{"phoenix", quota.TextToImage},
	{"lucid", quota.TextToImage},
	{"whisper", quota.SpeechRecognition},
	{"nova-", quota.SpeechRecognition},
	{"deepgram/flux", quota.SpeechRecognition},
	{"asr", quota.SpeechRecognition},
	{"aura-", quota.TextToSpeech},
	{"tts", quota.TextToSpeech},
	{"speech", quota.TextToSpeech},
}

// betas are parts of the names of image models that Workers AI has offered since
// before it billed in neurons, at $0.00 a step: no table has them, and the
// dearest picture there is would shut them off.
var betas = []string{"stable-diffusion", "dreamshaper"}

// tasks returns the tasks that a call may be of whose model is unknown: the one
// that is told, else all that its fields and its model's name speak for. None
// leaves the least that any call is taken to cost.
func (r request) tasks(model string) []quota.Task {
	if r.Task != "" {
		return []quota.Task{r.Task}
	}
	model = strings.ToLower(model)
	if slices.ContainsFunc(betas, func(part string) bool { return strings.Contains(model, part) }) {
		return nil
	}
	var tasks []quota.Task
	sound := r.AudioSeconds > 0 || r.AudioBytes > 0
	if r.PromptBytes > 0 || (!sound && r.Images <= 0) {
		tasks = append(tasks, quota.TextGeneration)
	}
	if sound {
		tasks = append(tasks, quota.SpeechRecognition, quota.VoiceActivity)
	}
	if r.Images > 0 {
		tasks = append(tasks, quota.ImageToText, quota.ImageClassification)
	}
	// n is the number of chat answers, too: it does not speak for a picture.
	if r.Width > 0 || r.Height > 0 || r.Steps > 0 || r.MakeImages > max(r.Answers, 0) {
		tasks = append(tasks, quota.TextToImage)
	}
	for _, n := range named {
		if strings.Contains(model, n.part) {
			tasks = append(tasks, n.task)
		}
	}
	return tasks
}
