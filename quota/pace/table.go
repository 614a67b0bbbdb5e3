package pace

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota"
)

const (
	// mostPerMinute bounds one limit of Table.
	mostPerMinute = 1_000_000

	// paidPerMinute is for each model that needs Workers Paid, without prepaid credits.
	paidPerMinute = 20

	// presumedPerMinute is what a model is taken to have whose task has no published limit, once 3021 says that there is one: the
	// lowest of the table.
	presumedPerMinute = 300
)

// Tasks that have a limit and no model in the price table.
const (
	objectDetection quota.Task = "object-detection"
	summarization   quota.Task = "summarization"
)

// Cloudflare's table, in requests per minute: "Limits" in the documentation of
// Workers AI, https://developers.cloudflare.com/workers-ai/platform/limits/, as
// of 2026-09-17. The models with a limit of their own that have come to their
// end are kept: a caller who still names one loses nothing by it.
var (
	publishedTasks = map[quota.Task]int{
		quota.SpeechRecognition: 720, quota.ImageClassification: 3000, quota.ImageToText: 720, objectDetection: 3000, summarization: 1500,
		quota.TextClassification: 2000, quota.TextEmbeddings: 3000, quota.TextGeneration: 300, quota.TextToImage: 720, quota.Translation: 720,
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

// Table are requests per minute by task and by model. The zero value is
// Cloudflare's table.
//
// Cloudflare writes "rate limits are default per task type, with some per-model
// limits" and does not say whether the models of a task spend its limit
// together. Here they do, since that is never too fast whichever is true. A
// model with a limit of its own is counted by itself and not with its task: some
// of those limits are above their task's. Each model that needs Workers Paid is
// documented as 20 "per account and model"; prepaid credits, which make it 50,
// cannot be seen from here.
type Table struct {
	off    bool
	tasks  map[quota.Task]int // over the published ones
	models map[string]int     // likewise
}

// ParseTable reads a list such as
// "text-generation=300,@cf/baai/bge-large-en-v1.5=1500", which changes rows of
// Cloudflare's table and adds some, or "off". "" is the table. The error names
// every item that is wrong, and what is allowed.
func ParseTable(text string) (Table, error) {
	text = strings.TrimSpace(text)
	switch text {
	case "":
		return Table{}, nil
	case "off":
		return Table{off: true}, nil
	}
	r := Table{tasks: map[quota.Task]int{}, models: map[string]int{}}
	var wrong []string
	for item := range strings.SplitSeq(text, ",") {
		if err := r.add(strings.TrimSpace(item)); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if wrong != nil {
		return Table{}, errors.New(strings.Join(wrong, "; ") + "; write task=number or model=number with commas between them, " +
			"such as text-generation=300, with numbers of requests per minute from 1 to " + strconv.Itoa(mostPerMinute) +
			", or off; tasks are " + taskNames())
	}
	return r, nil
}

// add reads one item.
func (r *Table) add(item string) error {
	name, number, found := strings.Cut(item, "=")
	name = strings.TrimSpace(name)
	n, err := strconv.Atoi(strings.TrimSpace(number))
	task := quota.Task(name)
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
func limitedTasks() []quota.Task {
	tasks := slices.AppendSeq(quota.Tasks(), maps.Keys(publishedTasks))
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
func (r Table) full() Table {
	if r.off {
		return r
	}
	f := Table{tasks: maps.Clone(publishedTasks), models: maps.Clone(publishedModels)}
	maps.Copy(f.tasks, r.tasks)
	maps.Copy(f.models, r.models)
	return f
}

// of returns which limit, of a full table, a call spends; its perMinute is 0
// where there is none.
func (r *Table) of(k *Key) laneKey {
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

func (r *Table) ofTask(t quota.Task) laneKey {
	return laneKey{laneOfTask, string(t), r.tasks[t]}
}
