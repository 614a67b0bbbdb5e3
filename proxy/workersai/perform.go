package workersai

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/neuronward/neuronward/quota/workload"
)

// perform answers POST run for models that are not asked in chat.
func (x *exchange) perform() *failure {
	switch x.model.task {
	case workload.TextClassification:
		return x.classify()
	case workload.Translation:
		return x.translate()
	case workload.ImageToText:
		return x.describe()
	case workload.ImageClassification, objectDetection:
		return x.recognize()
	case workload.TextToImage:
		return x.draw()
	case workload.SpeechRecognition:
		return x.transcribe()
	case workload.TextToSpeech:
		return x.speak()
	case workload.VoiceActivity:
		return x.listen()
	case summarization:
		return x.summarize()
	}
	return refuseText(5007, "No such model: No such model %s or task", x.model.name)
}

type label struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
	Box   *box    `json:"box,omitempty"`
}

type box struct {
	XMin int `json:"xmin"`
	YMin int `json:"ymin"`
	XMax int `json:"xmax"`
	YMax int `json:"ymax"`
}

// score is a made-up figure between 0 and 1 that depends on text alone.
func (x *exchange) score(text string) float64 {
	return math.Round(float64(x.hash(text)%10_000)) / 10_000
}

// required returns string fields of a JSON body, all of which must be there.
func (x *exchange) required(names ...string) ([]string, *failure) {
	list := make([]string, len(names))
	for i, name := range names {
		text, ok, f := x.in.text(name)
		if f != nil {
			return nil, f
		}
		if !ok {
			return nil, badInput("required properties at '/' are '%s'", strings.Join(names, ","))
		}
		list[i] = text
	}
	return list, nil
}

func (x *exchange) classify() *failure {
	if strings.Contains(x.model.name, "reranker") {
		return x.rerank()
	}
	in, f := x.required("text")
	if f != nil {
		return f
	}
	x.spendTokens(CountTokens(in[0]), 0, 0)
	good := x.score(in[0])
	return x.answer(wrap([]label{
		{Label: "NEGATIVE", Score: math.Round((1-good)*1e4) / 1e4},
		{Label: "POSITIVE", Score: good},
	}))
}

type ranked struct {
	ID    int     `json:"id"`
	Score float64 `json:"score"`
}

// rerank orders contexts by how well they fit a query: here, by the words that
// they share.
func (x *exchange) rerank() *failure {
	if !x.in.has("query") || !x.in.has("contexts") {
		return badInput("required properties at '/' are 'query,contexts'")
	}
	query, _, f := x.in.text("query")
	if f != nil {
		return f
	}
	var contexts []struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(x.in["contexts"], &contexts) != nil {
		return mismatch("contexts", x.in["contexts"], "array")
	}
	top, f := x.in.count("top_k", int64(len(contexts))+1)
	if f != nil {
		return f
	}
	asked := strings.Fields(strings.ToLower(query))
	tokens := CountTokens(query)
	list := make([]ranked, len(contexts))
	for i, c := range contexts {
		if c.Text == nil {
			return badInput("required properties at '/contexts/%d' are 'text'", i)
		}
		tokens += CountTokens(*c.Text)
		shared := 0
		for word := range strings.FieldsSeq(strings.ToLower(*c.Text)) {
			if slices.Contains(asked, word) {
				shared++
			}
		}
		list[i] = ranked{ID: i, Score: math.Round(1e4*float64(shared)/float64(shared+len(asked)+1)) / 1e4}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.Score, a.Score) })
	x.spendTokens(tokens, 0, 0)
	return x.answer(wrap(struct {
		Response []ranked `json:"response"`
		Usage    usage    `json:"usage"`
	}{list[:min(int(top), len(list))], x.usage}))
}

func (x *exchange) translate() *failure {
	if strings.Contains(x.model.name, "indictrans") {
		texts, ok, f := x.in.texts("text")
		if f != nil {
			return f
		}
		if !ok {
			return badInput("required properties at '/' are 'text,target_language'")
		}
		into, _, f := x.in.text("target_language")
		if f != nil {
			return f
		}
		var tokens int64
		list := make([]string, len(texts))
		for i, text := range texts {
			list[i] = "[" + cmp.Or(into, "hin_Deva") + "] " + text
			tokens += CountTokens(text)
		}
		x.spendTokens(tokens, 0, tokens)
		return x.answer(wrap(struct {
			Translations []string `json:"translations"`
			Usage        usage    `json:"usage"`
		}{list, x.usage}))
	}
	in, f := x.required("text", "target_lang")
	if f != nil {
		return f
	}
	n := CountTokens(in[0])
	x.spendTokens(n, 0, n)
	return x.answer(wrap(struct {
		Text  string `json:"translated_text"`
		Usage usage  `json:"usage"`
	}{"[" + in[1] + "] " + in[0], x.usage}))
}

func (x *exchange) summarize() *failure {
	in, f := x.required("input_text")
	if f != nil {
		return f
	}
	x.spendTokens(CountTokens(in[0]), 0, 0)
	return x.answer(wrap(struct {
		Summary string `json:"summary"`
	}{"In short: " + clip(in[0], 120)}))
}
