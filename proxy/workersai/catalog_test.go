package workersai_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

type listed struct {
	Name       string
	Task       struct{ Name string }
	Properties []struct {
		ID    string `json:"property_id"`
		Value json.RawMessage
	}
}

func (m listed) property(id string) string {
	for _, p := range m.Properties {
		if p.ID == id {
			return string(p.Value)
		}
	}
	return ""
}

func TestModelsSearch(t *testing.T) {
	s := start(t, workersai.Options{})
	seen := map[string]listed{}
	for page := 1; ; page++ {
		v := decode[v4[[]listed]](t, s.get(fmt.Sprintf("/models/search?per_page=20&page=%d", page)))
		for name, want := range map[string]int{
			"page": page, "per_page": 20, "count": len(v.Result), "total_count": 73,
		} {
			if got := v.Info[name]; got != want {
				t.Fatalf("page %d: got %s %d, want %d", page, name, got, want)
			}
		}
		for _, m := range v.Result {
			seen[m.Name] = m
		}
		if len(v.Result) < 20 {
			break
		}
	}
	if len(seen) != 73 {
		t.Errorf("models: got %d, want 73", len(seen))
	}
	m := seen[paid]
	if m.Task.Name != "Text Generation" {
		t.Errorf("%s: task: got %q, want %q", paid, m.Task.Name, "Text Generation")
	}
	if got, want := m.property("context_window"), `"262144"`; got != want {
		t.Errorf("%s: context_window: got %s, want %s", paid, got, want)
	}
	if got, want := m.property("require_workers_paid"), `"true"`; got != want {
		t.Errorf("%s: require_workers_paid: got %s, want %s", paid, got, want)
	}
	if got, want := m.property("price"), `[{"unit":"per M input tokens","price":0.950004,"currency":"USD"},`+
		`{"unit":"per M cached input tokens","price":0.159995,"currency":"USD"},{"unit":"per M output `+
		`tokens","price":3.999996,"currency":"USD"}]`; got != want {
		t.Errorf("%s: price: got %s, want %s", paid, got, want)
	}
	if got := seen["@cf/meta/llama-3-8b-instruct"].property("planned_deprecation_date"); got != `"2026-05-30"` {
		t.Errorf("planned_deprecation_date: got %s, want %s", got, `"2026-05-30"`)
	}
	if got := seen["@cf/facebook/bart-large-cnn"]; got.property("beta") != `"true"` || got.property("price") != "" {
		t.Errorf("bart-large-cnn: got beta %s and price %q, want %s and no price", got.property("beta"),
			got.property("price"), `"true"`)
	}
	for name, m := range seen { // what the prices say is what the table says
		price, ok := price.Embedded().Row(name)
		var tags []struct {
			Unit  string
			Price float64
		}
		if ok && json.Unmarshal([]byte(m.property("price")), &tags) != nil {
			t.Errorf("%s: got price %q, want a JSON list of prices", name, m.property("price"))
		}
		for _, tag := range tags {
			if tag.Unit == "per M input tokens" && math.Abs(tag.Price/0.000011-price.InputPerM) > 0.01 {
				t.Errorf("%s: got $%v, which is %v neurons per token million, want %v", name, tag.Price,
					tag.Price/0.000011, price.InputPerM)
			}
		}
	}
	for query, want := range map[string]int{
		"search=KIMI": 3, "task=Text-to-Image": 9, "task=translation": 2, "author=deepgram": 5, "search=nope": 0,
		"search=bart&hide_experimental=true": 0, "search=kimi&page=9": 0,
	} {
		if v := decode[v4[[]listed]](t, s.get("/models/search?"+query)); len(v.Result) != want || v.Result == nil {
			t.Errorf("%s: got %d models, null %t, want %d, null false", query, len(v.Result), v.Result == nil, want)
		}
	}
	refused(t, s.get("/models/search?per_page=0"), 400, 7000, "per_page")
	if s.Calls() != 0 || s.Requests() == 0 {
		t.Errorf("got %d calls and %d requests, want no calls and some requests", s.Calls(), s.Requests())
	}
}

func TestOtherReads(t *testing.T) {
	s := start(t, workersai.Options{})
	for path, want := range map[string]string{
		"/models/schema?model=" + older: `{"input":{"oneOf":[{"required":["prompt"]},{"required":["messages"]}],` +
			`"type":"object"},"output":{"type":"object"}}`,
		"/tasks/search?per_page=1": `"name":"Automatic Speech Recognition"`,
		"/authors/search":          `{"name":"baai"}`,
		"/finetunes":               `"result":[]`,
		"/finetunes/public":        `"name":"cf-public-magicoder"`,
		"/tomarkdown/supported":    `{"extension":".pdf","mimeType":"application/pdf"}`,
	} {
		a := s.get(path)
		if a.status != 200 {
			t.Errorf("%s: got %d, want 200", path, a.status)
		}
		if !strings.Contains(a.body, want) || !strings.Contains(a.body, `"success":true`) {
			t.Errorf("%s: got %s\nwant %s and %s in it", path, a.body, want, `"success":true`)
		}
	}
	refused(t, s.get("/models/schema?model=nope"), 400, 5007, "No such model nope or task")
	if a := s.post("/finetunes", `{"model":"@cf/a/b","name":"mine"}`); a.status != 200 ||
		!strings.Contains(a.body, `"name":"mine"`) {
		t.Errorf("finetunes: got %d %s, want 200 with %s", a.status, a.body, `"name":"mine"`)
	}
	refused(t, s.post("/finetunes", `{}`), 400, 5006, "model,name")
}

func TestBatch(t *testing.T) {
	var calls record
	s := start(t, workersai.Options{OnCall: calls.add, DailyNeurons: 0.01})
	path := "/run/" + older + "?queueRequest=true"
	submitted := decode[v4[struct {
		Status, Model string
		ID            string `json:"request_id"`
	}]](t, s.post(path, `{"requests":[{"prompt":"one","max_tokens":2,"external_reference":"a"},{"prompt":"two `+
		`three","max_tokens":2}]}`)).Result
	if submitted.Status != "queued" || submitted.Model != older {
		t.Fatalf("submitted: got status %q, model %q, want %q, %q", submitted.Status, submitted.Model, "queued", older)
	}
	if submitted.ID == "" {
		t.Fatalf("submitted: got %+v, want some id", submitted)
	}
	poll := `{"request_id":"` + submitted.ID + `"}`
	queued := `{"result":{"status":"queued","request_id":"` + submitted.ID + `","model":"` + older + `"},` +
		`"success":true,"errors":[],"messages":[]}`
	if a := s.post(path, poll); a.body != queued {
		t.Errorf("the first poll: got %s\nwant %s", a.body, queued)
	}
	for range 2 {
		a := s.post(path, poll)
		price, _ := price.Embedded().Row(older)
		want := `{"result":{"responses":[` +
			`{"id":0,"external_reference":"a","result":{"response":"This ` +
			`is","tool_calls":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,` +
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.066034}},"success":true},` +
			`{"id":1,"result":{"response":"This is","tool_calls":[],"usage":{"prompt_tokens":2,` +
			`"completion_tokens":2,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":0},` +
			`"neurons":0.079812}},"success":true}],` +
			`"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,` +
			`"prompt_tokens_details":{"cached_tokens":0},"neurons":0.145846}},"success":true,"errors":[],` +
			`"messages":[]}`
		if a.body != want {
			t.Errorf("a later poll: got\n%s\nwant\n%s", a.body, want)
		}
		total := price.Tokens(3, 0, 4)
		if s.Calls() != 1 || s.Billed() != total {
			t.Errorf("got %d calls, %v billed, want 1, %v", s.Calls(), s.Billed(), total)
		}
		if last := calls.last(); last.Neurons != total || last.Output != 4 {
			t.Errorf("got %v reported, %d output tokens, want %v, 4", last.Neurons, last.Output, total)
		}
	}
	refused(t, s.post(path, `{"requests":[{"prompt":"x"}]}`), 429, 4006, "daily free allocation") // yet polls went on
	refused(t, s.post("/run/"+newer+"?queueRequest=true", poll), 404, 5504, "Request not found in queue")

	s = start(t, workersai.Options{})
	refused(t, s.post(path, `{"request_id":"nope"}`), 404, 5504, "Request not found in queue")
	refused(t, s.post(path, `{"prompt":"x"}`), 400, 5006, "required properties at '/' are 'requests'")
	refused(t, s.post(path, `{"requests":[]}`), 400, 5006, "1 to 1000")
	refused(t, s.post(path, `{"requests":[{}]}`), 400, 5006, "'prompt'")
	refused(t, s.post("/run/@cf/openai/whisper?queueRequest=true", `{"requests":[{"audio":"eA=="}]}`), 400, 5006,
		"takes no batches")
	embed := "/run/@cf/baai/bge-m3?queueRequest=true"
	id := decode[v4[struct {
		ID string `json:"request_id"`
	}]](t, s.post(embed, `{"requests":[{"text":["x"]}]}`)).Result.ID
	_ = s.post(embed, `{"request_id":"`+id+`"}`)
	if a := s.post(embed, `{"request_id":"`+id+`"}`); !strings.Contains(a.body, `"shape":[1,1024]`) {
		t.Errorf("embeddings: got %.200s, want %s in it", a.body, `"shape":[1,1024]`)
	}
}

// Many callers at once: each is counted once, and the ids are all different.
func TestConcurrency(t *testing.T) {
	var calls record
	s := start(t, workersai.Options{
		OnCall: calls.add, DailyNeurons: 1e6,
		PerMinute: map[string]int{"text-generation": 1e6},
	})
	requests := []struct{ path, body, header string }{
		{"/run/" + older, streamed, ""},
		{"/run/" + newer, prompted, ""},
		{
			"/v1/chat/completions", `{"model":"` + newer + `","stream":true,"messages":` + hello + `}`,
			"midstream=3040; times=1",
		},
		{"/run/" + older, prompted, "3040; times=2"},
		{"/run/@cf/baai/bge-m3", `{"text":"x"}`, ""},
		{"/run/" + older + "?queueRequest=true", `{"requests":[{"prompt":"x"}]}`, ""},
	}
	const rounds = 12
	var group sync.WaitGroup
	var mu sync.Mutex
	rays := map[string]bool{}
	for range rounds {
		for _, r := range requests {
			group.Go(func() {
				var headers []string
				if r.header != "" {
					headers = []string{"x-simulate", r.header}
				}
				a := s.post(r.path, r.body, headers...)
				mu.Lock()
				defer mu.Unlock()
				rays[a.header.Get("cf-ray")] = true
			})
		}
	}
	group.Wait()
	if s.Requests() != int64(rounds*len(requests)) || len(rays) != rounds*len(requests) {
		t.Errorf("got %d requests and %d rays, want %d of each", s.Requests(), len(rays), rounds*len(requests))
	}
	// Of each three calls with times=2, one is let through.
	if want := int64(rounds*5 + rounds/3); s.Calls() != want || int64(len(calls.all())) != want {
		t.Errorf("got %d calls and %d told, want %d of each", s.Calls(), len(calls.all()), want)
	}
	var sum quota.Neurons
	for _, c := range calls.all() {
		sum += c.Neurons
	}
	if sum != s.Billed() {
		t.Errorf("neurons told: got %v, want the %v billed", sum, s.Billed())
	}
}
