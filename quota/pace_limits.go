package quota

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	// mostPerMinute bounds one limit of RateLimits.
	mostPerMinute = 1_000_000

	// paidPerMinute is for each model that needs Workers Paid, without prepaid credits.
	paidPerMinute = 20

	// presumedPerMinute is what a model is taken to have whose task has no published limit, once 3021 says that there is one: the
	// lowest of the table.
	presumedPerMinute = 300
)

// Tasks that have a limit and no model in the price table.
const (
	objectDetection Task = "object-detection"
	summarization   Task = "summarization"
)

// Cloudflare's table, in requests per minute: "Limits" in the documentation of
// Workers AI, https://developers.cloudflare.com/workers-ai/platform/limits/, as
// of 2026-09-17. The models with a limit of their own that have come to their
// end are kept: a caller who still names one loses nothing by it.
var (
	publishedTasks = map[Task]int{
		SpeechRecognition: 720, ImageClassification: 3000, ImageToText: 720, objectDetection: 3000, summarization: 1500,
		TextClassification: 2000, TextEmbeddings: 3000, TextGeneration: 300, TextToImage: 720, Translation: 720,
	}
	publishedModels = map[string]int{
		"@cf/baai/bge-large-en-v1.5":                 1500,
		"@cf/microsoft/phi-2":                        720,
		"@cf/qwen/qwen1.5-0.5b-chat":                 1500,
		"@cf/qwen/qwen1.5-1.8b-chat":                 720,
		"@cf/qwen/qwen1.5-14b-chat-awq":              150,
		"@cf/runwayml/stable-diffusion-v1-5-img2img": 1500,
		"@cf/tinyllama/tinyllama-1.1b-chat-v1.0":     720,
		"@hf/thebloke/mistral-7b-instruct-v0.1-awq":  400,
	}
)

// RateLimits are requests per minute by task and by model. The zero value is
// Cloudflare's table.
//
// Cloudflare writes "rate limits are default per task type, with some per-model
// limits" and does not say whether the models of a task spend its limit
// together. Here they do, since that is never too fast whichever is true. A
// model with a limit of its own is counted by itself and not with its task: some
// of those limits are above their task's. Each model that needs Workers Paid is
// documented as 20 "per account and model"; prepaid credits, which make it 50,
// cannot be seen from here.
type RateLimits struct {
	off    bool
	tasks  map[Task]int   // over the published ones
	models map[string]int // likewise
}

// ParseRateLimits reads a list such as
// "text-generation=300,@cf/baai/bge-large-en-v1.5=1500", which changes rows of
// Cloudflare's table and adds some, or "off". "" is the table. The error names
// every item that is wrong, and what is allowed.
func ParseRateLimits(text string) (RateLimits, error) {
	text = strings.TrimSpace(text)
	switch text {
	case "":
		return RateLimits{}, nil
	case "off":
		return RateLimits{off: true}, nil
	}
	r := RateLimits{tasks: map[Task]int{}, models: map[string]int{}}
	var wrong []string
	for item := range strings.SplitSeq(text, ",") {
		if err := r.add(strings.TrimSpace(item)); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if wrong != nil {
		return RateLimits{}, errors.New(strings.Join(wrong, "; ") + "; write task=number or model=number with commas between them, " +
			"such as text-generation=300, with numbers of requests per minute from 1 to " + strconv.Itoa(mostPerMinute) +
			", or off; tasks are " + taskNames())
	}
	return r, nil
}

// add reads one item.
func (r *RateLimits) add(item string) error {
	name, number, found := strings.Cut(item, "=")
	name = strings.TrimSpace(name)
	n, err := strconv.Atoi(strings.TrimSpace(number))
	task := Task(name)
	switch {
	case !found || name == "" || err != nil:
		return fmt.Errorf("%s is no rate", quoted(item))
	case n < 1 || n > mostPerMinute:
		return fmt.Errorf("%s is no rate: %d is not from 1 to %d", quoted(item), n, mostPerMinute)
	case r.tasks[task] != 0 || r.models[name] != 0:
		return fmt.Errorf("%s is there twice", quoted(name))
	case strings.HasPrefix(name, "@"):
		r.models[name] = n
	case slices.Contains(limitedTasks(), task):
		r.tasks[task] = n
	default:
		return fmt.Errorf("%s is neither a task nor a model", quoted(name))
	}
	return nil
}

// quoted bounds what is repeated of a setting.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}

// limitedTasks returns the tasks that may be given a limit, sorted.
func limitedTasks() []Task {
	tasks := slices.AppendSeq(Tasks(), maps.Keys(publishedTasks))
	slices.Sort(tasks)
	return slices.Compact(tasks)
}

func taskNames() string {
	var names []string
	for _, t := range limitedTasks() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// full returns the whole table: the published one with r over it.
func (r RateLimits) full() RateLimits {
	if r.off {
		return r
	}
	f := RateLimits{tasks: maps.Clone(publishedTasks), models: maps.Clone(publishedModels)}
	maps.Copy(f.tasks, r.tasks)
	maps.Copy(f.models, r.models)
	return f
}

// of returns which limit, of a full table, a call spends; its perMinute is 0
// where there is none.
func (r *RateLimits) of(k *PaceKey) laneKey {
	if r.off {
		return laneKey{}
	}
	if n := r.models[k.Model]; n != 0 {
		return laneKey{laneOfModel, k.Model, n}
	}
	shared := r.ofTask(k.task())
	if !k.PaidOnly {
		return shared
	}
	if n := shared.perMinute; n > 0 && n < paidPerMinute {
		return laneKey{laneOfModel, k.Model, n}
	}
	return laneKey{laneOfModel, k.Model, paidPerMinute}
}

func (r *RateLimits) ofTask(t Task) laneKey {
	return laneKey{laneOfTask, string(t), r.tasks[t]}
}
