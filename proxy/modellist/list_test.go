package modellist

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

// pageOf is the page that a text of JSON is.
func pageOf(t *testing.T, text string) (p Page) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// all lets every model through and knows no price.
func all(task string) *Request {
	return &Request{
		Task: task, Price: func(string) price.Model { return price.Model{} },
		MayCall: func(string, bool) bool { return true },
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	page := pageOf(t, `{"result":[
		{"name":"@cf/meta/llama","created_at":"2025-01-02 03:04:05.678","task":{"name":"Text Generation"},
			"properties":[{"property_id":"context_window","value":"8192"}]},
		{"name":"@cf/baai/bge","created_at":"soon","task":"text-embeddings",
			"properties":[{"property_id":"context_window","value":512},
				{"property_id":"require_workers_paid","value":"true"}]},
		{"name":"odd"}]}`)
	prices := map[string]price.Model{
		"@cf/meta/llama": {Known: true, Row: price.Row{InputPerM: 1, OutputPerM: 2, ContextWindow: 10}},
		"@cf/baai/bge":   {Known: true, Row: price.Row{Task: workload.TextEmbeddings}},
	}
	llama := `{"id":"@cf/meta/llama","object":"model","created":1735787045,"owned_by":"meta",` +
		`"task":"text-generation","context_window":8192,"neurons_per_million":{"input":1,"output":2}}`
	bge := `{"id":"@cf/baai/bge","object":"model","created":0,"owned_by":"baai","task":"text-embeddings",` +
		`"context_window":512}`
	odd := `{"id":"odd","object":"model","created":0,"owned_by":"cloudflare"}`
	list := func(models string) string { return `{"object":"list","data":[` + models + `]}` }
	for _, c := range []struct {
		name, id, task string
		free           bool // no models that require Workers Paid
		want           string
	}{
		{name: "all", want: list(llama + "," + bge + "," + odd)},
		{name: "the free plan", free: true, want: list(llama + "," + odd)},
		{name: "of a task", task: "Text Embeddings", want: list(bge)},
		{name: "of no task", task: "cooking", want: list("")},
		{name: "one", id: "odd", task: "cooking", want: odd},
		{name: "one that may not be called", id: "@cf/baai/bge", free: true},
		{name: "one that is not there", id: "@cf/nobody/knows"},
	} {
		r := Request{
			ID: c.id, Task: c.task, Price: func(model string) price.Model { return prices[model] },
			MayCall: func(_ string, paidOnly bool) bool { return !paidOnly || !c.free },
		}
		got, err := r.Answer(func(int) (Page, error) { return page, nil })
		if string(got) != c.want || err != nil {
			t.Errorf("%s: Answer() = %s, %v, want %s, nil", c.name, got, err, c.want)
		}
	}
}

// Pages are asked for until nothing new comes.
func TestAnswerAsksForAllPages(t *testing.T) {
	t.Parallel()
	// models is a page of the models from a number up to another.
	models := func(from, to int) (p Page) {
		for i := from; i < to; i++ {
			p.Result = append(p.Result, found{Name: "m" + strconv.Itoa(i)})
		}
		return p
	}
	for _, c := range []struct {
		name        string
		search      func(page int) Page
		asked, want int // pages, models
	}{
		{"one page", func(int) Page { return models(0, 3) }, 2, 3},
		{"the same page again and again", func(int) Page { return models(0, 100) }, 2, 100},
		{"pages that are capped", func(n int) Page { return models(n*10, min(n*10+10, 35)) }, 3, 25},
		{"none", func(int) Page { return Page{} }, 1, 0},
		{"without end", func(n int) Page { return models(n*10, n*10+10) }, maxPages, 10 * maxPages},
		{"a total", func(n int) Page {
			p := models(n*10, n*10+10)
			p.Info.Total = 20
			return p
		}, 2, 20},
	} {
		var asked []int
		text, err := all("").Answer(func(n int) (Page, error) {
			asked = append(asked, n)
			return c.search(n), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var list List
		if err := json.Unmarshal(text, &list); err != nil || len(list.Data) != c.want {
			t.Errorf("%s: got %d models, error %v, want %d, nil", c.name, len(list.Data), err, c.want)
		}
		want := make([]int, c.asked)
		for i := range want {
			want[i] = i + 1
		}
		if !slices.Equal(asked, want) {
			t.Errorf("%s: got the pages %v asked for, want %v", c.name, asked, want)
		}
	}
	broken := errors.New("broken")
	if text, err := all("").Answer(func(int) (Page, error) { return Page{}, broken }); !errors.Is(err, broken) {
		t.Errorf("Answer() = %s, %v, want the error %v", text, err, broken)
	}
	if got, want := PageQuery(3), fmt.Sprintf("page=3&per_page=%d", perPage); got != want {
		t.Errorf("PageQuery(3) = %q, want %q", got, want)
	}
}
