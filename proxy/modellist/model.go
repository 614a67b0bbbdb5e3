package modellist

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// A found model is what models/search says of a model, as far as the list has a field for it.
type found struct {
	Name       string          `json:"name"`
	CreatedAt  string          `json:"created_at"`
	Task       json.RawMessage `json:"task"` // an object with a name
	Properties []struct {
		ID    string          `json:"property_id"`
		Value json.RawMessage `json:"value"` // mostly a text, also of a number
	} `json:"properties"`
}

// A List is the answer to GET /v1/models.
type List struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// A Model is a model as OpenAI lists it, with what is known beside that.
type Model struct {
	ID                string        `json:"id"`
	Object            string        `json:"object"`
	Created           int64         `json:"created"` // Unix time in seconds, 0 where unknown
	OwnedBy           string        `json:"owned_by"`
	Task              workload.Task `json:"task,omitempty"`
	ContextWindow     int64         `json:"context_window,omitempty"` // tokens
	NeuronsPerMillion *Prices       `json:"neurons_per_million,omitempty"`

	paidOnly bool // requires Workers Paid
}

// Prices are neurons per million tokens.
type Prices struct {
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
}

// listed joins what the catalog says of a model and what the price table has.
func (f *found) listed(row price.Model) Model {
	m := Model{
		ID: f.Name, Object: "model", OwnedBy: owner(f.Name), Created: unixTime(f.CreatedAt),
		ContextWindow: row.ContextWindow, paidOnly: row.RequiresWorkersPaid,
	}
	var task struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(f.Task, &task) // of another form: the table may know it
	m.Task = cmp.Or(taskText(task.Name), row.Task)
	if row.Known && (row.InputPerM > 0 || row.OutputPerM > 0) {
		m.NeuronsPerMillion = &Prices{Input: row.InputPerM, Output: row.OutputPerM}
	}
	for _, p := range f.Properties {
		value := strings.Trim(string(p.Value), `"`)
		switch p.ID {
		case "context_window":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
				m.ContextWindow = n
			}
		case "require_workers_paid":
			m.paidOnly = m.paidOnly || value == "true"
		}
	}
	return m
}

// taskText returns a task as the price table writes it: text-generation for Text Generation.
func taskText(name string) workload.Task {
	return workload.Task(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "-"))
}

// unixTime reads one of the catalog's times, 0 where it is none.
func unixTime(text string) int64 {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Unix()
		}
	}
	return 0
}

// owner is the second part of a model's name: "meta" of "@cf/meta/llama-…".
func owner(model string) string {
	parts := strings.SplitN(model, "/", 3)
	if len(parts) < 3 {
		return "cloudflare"
	}
	return parts[1]
}
