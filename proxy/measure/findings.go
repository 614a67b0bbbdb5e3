package measure

import (
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/proxy/measure/sound"
	"github.com/neuronward/neuronward/quota/workload"
)

// maxParts limits how many requests of a batch are kept apart; the rest is added up.
const maxParts = 1000

// findings are what the fields of one object come to, for models of any task: the task is known only after the field
// "model" was read, which may be the last one. Of a field that is given twice, or under two names, the larger value
// counts.
type findings struct {
	workload.Request // what does not depend on the task; Characters of texts that stand alone

	size  int64 // bytes of the object
	media int64 // of them, those that never become tokens

	otherLimit int64 // of output tokens, under a name that the protocol does not have

	listedTexts    int64 // characters of the longest list of texts
	listedMessages int64 // characters of the longest list of messages

	spoken []span // texts that a model for speech may speak

	seconds        float64 // of sound
	secondsWithURL float64 // with the recordings that "url" names
	unknownAudio   int64   // bytes of sound whose duration is not known

	nestedInput bool // "input" is an object
	self, input level
	promptInput bool // "input" is a prompt, as in Responses
	inBatch     bool // it is one of a batch's requests

	tools bool // a template puts the rules of calling tools before the prompt

	unlimited bool // the call names no limit of output tokens, and one can be put in

	requests bool // there is a batch
	content  bool // there is something beside its requests
	parts    []findings
	rest     *rest // the requests beyond maxParts
}

// A rest is requests of a batch added up for each class: first those with a limit, then those that are unlimited.
type rest [2][numClasses]workload.Request

// A class is a class of tasks for which the same fields count.
type class uint8

const (
	otherTask   class = iota
	unknownTask       // the model is not known
	textToSpeech
	speechRecognition
	numClasses
)

func classOf(task workload.Task) class {
	switch task {
	case "":
		return unknownTask
	case workload.TextToSpeech:
		return textToSpeech
	case workload.SpeechRecognition:
		return speechRecognition
	}
	return otherTask
}

// A level is what decides about a call in an object, without its "input".
type level struct {
	place
	prompted bool // it has a text
	limited  bool // and a limit of output
	stepped  bool // and a number of steps
}

// toolTokens is what templates put around tools, at most: how they are called, with an example.
const toolTokens = 300

// assumedSteps is the most that a model takes where a call does not say it.
const assumedSteps = 50

// oneLevel reports whether only one of an object and its "input" says something, and upstream may read the other.
func (f *findings) oneLevel(self, input bool) bool {
	return f.nestedInput && (self && !input || input && !self && f.self.prompted)
}

// finish completes the findings of an object of that many bytes.
func (f *findings) finish(size int64, protocol normalize.Protocol) {
	f.size = size
	f.PromptBytes = max(size-f.media, 0)
	if f.tools && f.PromptTokens > 0 {
		f.PromptTokens += toolTokens
	}
	f.MayIgnoreLimit = f.MaxTokens == 0 && f.otherLimit > 0 || f.oneLevel(f.self.limited, f.input.limited)
	if f.oneLevel(f.self.stepped, f.input.stepped) {
		f.Steps = max(f.Steps, assumedSteps)
	}
	f.MaxTokens = max(f.MaxTokens, f.otherLimit)
	// A model's schema has a default of max_tokens beside a prompt and beside messages, and none beside the input of
	// Responses; of Anthropic's messages it says nothing.
	f.NoDefault = f.promptInput || protocol == normalize.ProtocolResponses || protocol == normalize.ProtocolAnthropic
}

// add adds a finished request of a batch.
func (f *findings) add(one *findings, text jsonscan.Pieces) {
	if len(f.parts) < maxParts {
		f.parts = append(f.parts, *one)
		return
	}
	if f.rest == nil {
		f.rest = new(rest)
	}
	sums := &f.rest[0]
	if one.unlimited {
		sums = &f.rest[1]
	}
	for k := range numClasses {
		addUp(&sums[k], one.alone(k, text, 0))
	}
}

// request returns the measurement for a task. text is the whole body, limit that of calls that are unlimited.
func (f *findings) request(task workload.Task, text jsonscan.Pieces, limit int64) workload.Request {
	k := classOf(task)
	alone := f.alone(k, text, limit)
	alone.Task = task
	if !f.requests {
		return alone
	}
	batch := workload.Request{Task: task}
	for i := range f.parts {
		batch.Parts = append(batch.Parts, f.parts[i].request(task, text, limit))
	}
	if f.rest != nil {
		for i := range f.rest {
			rest := f.rest[i][k]
			if rest.Calls == 0 {
				continue
			}
			rest.Task = task
			if i == 1 && limit > 0 {
				rest.MaxTokens, rest.MayIgnoreLimit = limit, false
			}
			batch.Parts = append(batch.Parts, rest)
		}
	}
	// What stands beside the requests counts in case that upstream takes the call for a plain one.
	if f.content || len(batch.Parts) == 0 {
		batch.Parts = append(batch.Parts, alone)
	}
	return batch
}

// alone returns the measurement for a class of tasks, without the requests of a batch.
func (f *findings) alone(k class, text jsonscan.Pieces, limit int64) workload.Request {
	r := f.Request
	if f.unlimited {
		r.MaxTokens = limit
	}
	if k == textToSpeech || k == unknownTask {
		r.Characters = max(r.Characters, f.listedTexts)
	}
	if k == textToSpeech {
		r.Characters = max(r.Characters, f.listedMessages)
		r.SpokenSeconds = f.spokenSeconds(text)
	}
	r.AudioSeconds, r.AudioBytes = f.seconds, f.unknownAudio
	if k == speechRecognition {
		r.AudioSeconds = f.secondsWithURL
	}
	if r.AudioSeconds > 0 && r.AudioBytes > 0 { // the estimator takes one or the other
		r.AudioSeconds, r.AudioBytes = r.AudioSeconds+float64(r.AudioBytes)/sound.MinRate, 0
	}
	return r
}

// addUp adds one more request to a sum.
func addUp(sum *workload.Request, r workload.Request) {
	const template = 64 // tokens, which each of them has
	sum.PromptBytes += r.PromptBytes + template
	sum.PromptTokens += r.PromptTokens + template
	sum.Calls++
	sum.Unseen += min(r.Unseen, 1)
	sum.MaxTokens = max(sum.MaxTokens, r.MaxTokens)
	sum.MayIgnoreLimit = sum.MayIgnoreLimit || r.MayIgnoreLimit || r.MaxTokens == 0
	sum.OddLimit, sum.NoDefault = sum.OddLimit || r.OddLimit, sum.NoDefault || r.NoDefault
	sum.Answers += max(r.Answers, 1)
	sum.MakeImages += max(r.MakeImages, 1)
	sum.Images += r.Images
	sum.Texts += r.Texts
	sum.Characters += r.Characters
	sum.SpokenSeconds += r.SpokenSeconds
	sum.AudioSeconds += r.AudioSeconds + float64(r.AudioBytes)/sound.MinRate
	sum.Width, sum.Height, sum.Steps = max(sum.Width, r.Width), max(sum.Height, r.Height), max(sum.Steps, r.Steps)
}
