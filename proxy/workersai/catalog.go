package workersai

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

type catalogModel struct {
	ID          string     `json:"id"`
	Source      int        `json:"source"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Task        *modelTask `json:"task"`
	CreatedAt   string     `json:"created_at"`
	Tags        []string   `json:"tags"`
	Properties  []property `json:"properties"`
}

type modelTask struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// property is one of a model. Its value is a string, but for the price.
type property struct {
	ID    string `json:"property_id"`
	Value any    `json:"value"`
}

type priceTag struct {
	Unit     string  `json:"unit"`
	Price    float64 `json:"price"`
	Currency string  `json:"currency"`
}

// serveRead answers what is no inference.
func (x *exchange) serveRead() *failure {
	switch x.route.read {
	case "graphql":
		return x.graphQL()
	case "tokens/verify":
		return x.verifyToken()
	case "accounts":
		return list(x, []accountEntry{{x.s.o.Account}})
	case "models/search":
		return x.searchModels()
	case "models/schema":
		return x.schema()
	case "tasks/search":
		return list(x, x.tasks())
	case "authors/search":
		return list(x, x.authors())
	case "finetunes", "finetunes/public":
		return x.finetunes()
	case "tomarkdown/supported":
		return list(x, documents)
	}
	return x.toMarkdown()
}

// reads writes a v4 answer that costs nothing.
func (x *exchange) reads(v any) *failure {
	x.w.Header().Set("Content-Type", "application/json")
	x.write(http.StatusOK, compact(v))
	return nil
}

// list writes the page of all that the query asks for.
func list[T any](x *exchange, all []T) *failure {
	query := x.r.URL.Query()
	page, perPage := 1, 50
	for _, p := range []struct {
		name string
		to   *int
	}{{"page", &page}, {"per_page", &perPage}} {
		if v := query.Get(p.name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > 1_000_000 {
				return refuseText(7000, "Invalid value for %s", p.name)
			}
			*p.to = n
		}
	}
	from := min((page-1)*perPage, len(all))
	to := min(from+perPage, len(all))
	v := wrap(append([]T{}, all[from:to]...))
	v.ResultInfo = &resultInfo{Count: to - from, Page: page, PerPage: perPage, TotalCount: len(all)}
	return x.reads(v)
}

func (x *exchange) searchModels() *failure {
	query := x.r.URL.Query()
	var found []catalogModel
	for _, name := range x.s.names {
		m := x.s.models[name]
		if s := query.Get("search"); s != "" && !strings.Contains(strings.ToLower(name), strings.ToLower(s)) {
			continue
		}
		if t := query.Get("task"); t != "" && !strings.EqualFold(t, taskName(m.task)) && t != string(m.task) {
			continue
		}
		if a := query.Get("author"); a != "" && a != author(name) {
			continue
		}
		if query.Get("hide_experimental") == "true" && m.beta {
			continue
		}
		found = append(found, x.describeModel(m))
	}
	return list(x, found)
}

func (x *exchange) describeModel(m model) catalogModel {
	task := describeTask(m.task)
	c := catalogModel{
		ID: tagID(m.name), Source: 1, Name: m.name, Description: "A simulated model.", Task: &task,
		CreatedAt: "2026-01-01 00:00:00.000", Tags: []string{}, Properties: []property{},
	}
	add := func(id string, v any) { c.Properties = append(c.Properties, property{id, v}) }
	if m.task == workload.TextGeneration {
		add("context_window", strconv.FormatInt(m.window(), 10))
	}
	if m.beta {
		add("beta", "true")
		if m.task == workload.TextToImage {
			add("price", []priceTag{{"per step", 0, "USD"}})
		}
	}
	if tags := x.priceTags(m.price); len(tags) > 0 {
		add("price", tags)
	}
	if m.price.DeprecatedOn != "" {
		add("planned_deprecation_date", m.price.DeprecatedOn)
	}
	if m.price.RequiresWorkersPaid {
		add("require_workers_paid", "true")
	}
	return c
}

// priceTags are the prices of a model in US dollars, with the cents of cents that
// Cloudflare rounds to.
func (x *exchange) priceTags(p price.Row) []priceTag {
	var tags []priceTag
	for _, u := range []struct {
		unit    string
		neurons float64
	}{
		{"per M input tokens", p.InputPerM},
		{"per M cached input tokens", p.CachedInputPerM},
		{"per M output tokens", p.OutputPerM},
		{"per 512 by 512 tile", p.Tile},
		{"per step", p.Step},
		{"per input 512 by 512 tile", p.InputTile},
		{"per output 512 by 512 tile", p.OutputTile},
		{"per input 512 by 512 tile, per step", p.InputTileStep},
		{"per output 512 by 512 tile, per step", p.OutputTileStep},
		{"per first MP (1024x1024)", p.FirstMegapixel},
		{"per subsequent MP (1024x1024)", p.NextMegapixel},
		{"per input MP (1024x1024)", p.InputMegapixel},
		{"per inference request", p.Image},
		{"per audio minute", p.AudioMinute},
		{"per audio minute (websocket)", p.AudioMinuteLive},
		{"per 1k characters", p.CharactersPerK},
	} {
		if u.neurons > 0 {
			usd := u.neurons * x.s.o.Prices.USD()
			tags = append(tags, priceTag{u.unit, math.Round(usd*1e9) / 1e9, "USD"})
		}
	}
	return tags
}

func (x *exchange) tasks() []modelTask {
	var all []modelTask
	for _, t := range append(workload.Tasks(), objectDetection, summarization) {
		all = append(all, describeTask(t))
	}
	return all
}

type modelAuthor struct {
	Name string `json:"name"`
}

func (x *exchange) authors() []modelAuthor {
	var all []modelAuthor
	for _, name := range x.s.names {
		if a := (modelAuthor{author(name)}); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func describeTask(t workload.Task) modelTask {
	return modelTask{
		ID: tagID(string(t)), Name: taskName(t),
		Description: "Models for " + strings.ReplaceAll(string(t), "-", " ") + ".",
	}
}

// taskName is a task as the catalog writes it: "Text Generation".
func taskName(t workload.Task) string {
	if t == workload.TextToImage || t == workload.ImageToText || t == workload.TextToSpeech {
		first, last, _ := strings.Cut(string(t), "-to-")
		return strings.ToUpper(first[:1]) + first[1:] + "-to-" + strings.ToUpper(last[:1]) + last[1:]
	}
	words := strings.Split(string(t), "-")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}

// author is the second part of a model's name.
func author(name string) string {
	parts := strings.Split(name, "/")
	return parts[min(1, len(parts)-1)]
}

// tagID is an id that depends on a name alone.
func tagID(name string) string {
	var a uint64
	for _, c := range []byte(name) {
		a = mix(a, uint64(c)+1)
	}
	b := mix(a, 1)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff,
		uint16(b)&0x3fff|0x8000, b>>16)
}
