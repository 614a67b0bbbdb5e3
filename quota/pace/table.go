package pace

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota/workload"
)

const (
	// maxPerMinute bounds each limit of a Table.
	maxPerMinute = 1_000_000

	// paidPerMinute is for each model that needs Workers Paid, and prepaidPerMinute with prepaid credits.
	paidPerMinute, prepaidPerMinute = 20, 50

	// presumedPerMinute is the limit of a model whose task has no published one, once 3021 says that there is one: the
	// lowest of the table.
	presumedPerMinute = 300
)

// Tasks that have a limit and no model in the price table.
const (
	objectDetection workload.Task = "object-detection"
	summarization   workload.Task = "summarization"
)

// Cloudflare's table, in requests per minute: "Limits" in the documentation of
// Workers AI, https://developers.cloudflare.com/workers-ai/platform/limits/, as
// of 2026-09-17. Deprecated models with a limit of their own are kept: a caller
// who still names one loses nothing by it.
var (
	publishedTasks = map[workload.Task]int{
		workload.ImageClassification: 3000,
		workload.ImageToText:         720,
		objectDetection:              3000,
		workload.SpeechRecognition:   720,
		summarization:                1500,
		workload.TextClassification:  2000,
		workload.TextEmbeddings:      3000,
		workload.TextGeneration:      300,
		workload.TextToImage:         720,
		workload.Translation:         720,
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

// Table is the limits of requests per minute by task and by model. The zero value
// is Cloudflare's table.
//
// Cloudflare writes "rate limits are default per task type, with some per-model
// limits" and does not say whether the models of a task spend its limit
// together. Here they do, since that is never too fast whichever is true. A
// model with a limit of its own does not count with its task: some of those
// limits are above their task's. Each model that requires Workers Paid is
// documented as 20 "per account and model", and as 50 with prepaid credits.
type Table struct {
	off     bool
	prepaid bool
	tasks   map[workload.Task]int // over the published ones
	models  map[string]int        // likewise
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
	t := Table{tasks: map[workload.Task]int{}, models: map[string]int{}}
	var wrong []string
	for item := range strings.SplitSeq(text, ",") {
		if err := t.add(strings.TrimSpace(item)); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if wrong != nil {
		return Table{}, fmt.Errorf("%s; write task=number or model=number with commas between them, such as "+
			"text-generation=300, with numbers of requests per minute from 1 to %d, or off; tasks are %s",
			strings.Join(wrong, "; "), maxPerMinute, taskNames())
	}
	return t, nil
}

// WithCredits returns the table of an account that pays Workers AI from prepaid credits.
func (t Table) WithCredits() Table {
	t.prepaid = true
	return t
}

// add reads one item.
func (t *Table) add(item string) error {
	name, number, found := strings.Cut(item, "=")
	name = strings.TrimSpace(name)
	n, err := strconv.Atoi(strings.TrimSpace(number))
	task := workload.Task(name)
	switch {
	case !found || name == "" || err != nil:
		return fmt.Errorf("%s is no rate", quoted(item))
	case n < 1 || n > maxPerMinute:
		return fmt.Errorf("%s is no rate: %d is not from 1 to %d", quoted(item), n, maxPerMinute)
	case t.tasks[task] != 0 || t.models[name] != 0:
		return fmt.Errorf("%s is there twice", quoted(name))
	case strings.HasPrefix(name, "@"):
		t.models[name] = n
	case slices.Contains(limitedTasks(), task):
		t.tasks[task] = n
	default:
		return fmt.Errorf("%s is neither a task nor a model", quoted(name))
	}
	return nil
}

// quoted returns s in quotes, cut to a length that an error may repeat.
func quoted(s string) string {
	const maxLen = 80
	if len(s) > maxLen {
		s = s[:maxLen] + "…"
	}
	return strconv.Quote(s)
}

// limitedTasks returns the tasks that may be given a limit, sorted.
func limitedTasks() []workload.Task {
	tasks := slices.AppendSeq(workload.Tasks(), maps.Keys(publishedTasks))
	slices.Sort(tasks)
	return slices.Compact(tasks)
}

func taskNames() string {
	var names []string
	for _, task := range limitedTasks() {
		names = append(names, string(task))
	}
	return strings.Join(names, ", ")
}

// full returns the published table with t over it.
func (t Table) full() Table {
	if t.off {
		return t
	}
	f := Table{prepaid: t.prepaid, tasks: maps.Clone(publishedTasks), models: maps.Clone(publishedModels)}
	maps.Copy(f.tasks, t.tasks)
	maps.Copy(f.models, t.models)
	return f
}

// of returns the key of the limit that a call spends by a full table. Its
// perMinute is 0 where there is none.
func (t *Table) of(k *Key) limitKey {
	if t.off {
		return limitKey{}
	}
	if n := t.models[k.Model]; n != 0 {
		return limitKey{modelLimit, k.Model, n}
	}
	shared := t.ofTask(k.task())
	if !k.PaidOnly {
		return shared
	}
	limit := paidPerMinute
	if t.prepaid {
		limit = prepaidPerMinute
	}
	if n := shared.perMinute; n > 0 && n < limit {
		limit = n
	}
	return limitKey{modelLimit, k.Model, limit}
}

func (t *Table) ofTask(task workload.Task) limitKey {
	return limitKey{taskLimit, string(task), t.tasks[task]}
}
