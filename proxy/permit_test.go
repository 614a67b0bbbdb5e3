package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

func TestAClientCallsModelsOfItsList(t *testing.T) {
	const other = "@cf/baai/bge-m3"
	upstream := &asked{}
	b := newBench(t, upstream, withClients(t, "all", `meta, models: ["@cf/meta/*"]`, `one, models: ["`+testModel+`"]`,
		`alias, models: ["@cf/moonshotai/kimi-k2.5"]`))
	nested := func(model string) string { return `{"model":"` + model + `","input":{"prompt":"x"}}` }
	for _, c := range []struct {
		name, client, path, body string
		slug                     string // "": it reaches upstream
	}{
		{"without a list", "all", "/run/" + other, `{"prompt":"x"}`, ""},
		{"of the list", "meta", chatPath, chat, ""},
		{"of the list, in the path", "meta", "/run/" + testModel, `{"prompt":"x"}`, ""},
		{
			"of the list, its slashes escaped", "meta", "/run/" + strings.ReplaceAll(testModel, "/", "%2F"),
			`{"prompt":"x"}`, "",
		},
		{
			"of the list, all of it escaped", "one",
			"/run/" + strings.NewReplacer("/", "%2f", "@", "%40", "m", "%6D").Replace(testModel), `{"prompt":"x"}`, "",
		},
		{
			"of the list, by the whole path", "one", "/client/v4/accounts/" + testAccount + "/ai/run/" + testModel,
			`{"prompt":"x"}`, "",
		},
		{"of the list, in the body of run", "meta", "/run", nested(testModel), ""},
		{"of the list, beside input", "meta", "/ai/run", `{"input":{"prompt":"x"},"model":"` + testModel + `"}`, ""},
		{"of the list, in escapes", "one", chatPath, strings.Replace(chat, "@cf/meta", `\u0040cf\/meta`, 1), ""},
		{
			"an alias that is on the list", "alias", chatPath,
			strings.Replace(chat, testModel, "@cf/moonshotai/kimi-k2.5", 1), "",
		},

		{"not of the list", "meta", chatPath, strings.Replace(chat, testModel, other, 1), "client_forbidden"},
		{"not of the list, in the path", "meta", "/run/" + other, `{"prompt":"x"}`, "client_forbidden"},
		{
			"not of the list, its slashes escaped", "meta", "/run/" + strings.ReplaceAll(other, "/", "%2F"),
			`{"prompt":"x"}`, "client_forbidden",
		},
		{"not of the list, in the body of run", "meta", "/run", nested(other), "client_forbidden"},
		{
			"not of the list, inside input", "meta", "/run", `{"input":{"prompt":"x","model":"` + other + `"}}`,
			"client_forbidden",
		},
		{
			"not of the list, embeddings", "one", "/v1/embeddings", `{"model":"` + other + `","input":"x"}`,
			"client_forbidden",
		},
		{
			"not of the list, responses", "one", "/v1/responses", `{"model":"` + other + `","input":"x"}`,
			"client_forbidden",
		},
		{
			"not of the list, messages", "one", "/v1/messages", `{"model":"` + other + `","messages":[]}`,
			"client_forbidden",
		},
		{"longer than the one on the list", "one", "/run/" + testModel + "-fast", `{"prompt":"x"}`, "client_forbidden"},
		{"in other letters", "one", "/run/" + strings.ToUpper(testModel), `{"prompt":"x"}`, "model_not_allowed"},
		{
			"with a blank behind it", "meta", chatPath, strings.Replace(chat, testModel, testModel+" ", 1),
			"model_not_allowed",
		},
		{
			"by a way through the list", "meta", chatPath,
			strings.Replace(chat, testModel, "@cf/meta/../baai/bge-m3", 1),
			"model_not_allowed",
		},
		{
			"the target of the alias on the list", "alias", chatPath,
			strings.Replace(chat, testModel, "@cf/moonshotai/kimi-k2.6", 1), "client_forbidden",
		},
		{
			"an alias of one on the list", "meta", chatPath,
			strings.Replace(chat, testModel, "@cf/moonshotai/kimi-k2.5", 1), "client_forbidden",
		},

		{
			"twice in the body, an allowed one first", "meta", chatPath,
			strings.Replace(chat, "{", `{"model":"`+testModel+`",`, 1), "bad_input",
		},
		{
			"twice in the body, an allowed one last", "meta", chatPath,
			strings.Replace(chat, `"messages"`, `"model":"`+other+`","messages"`, 1), "bad_input",
		},
		{
			"twice in the body, one in escapes", "meta", chatPath,
			strings.Replace(chat, "{", `{"mod\u0065l":"`+other+`",`, 1), "bad_input",
		},
		{
			"two in the body of run", "meta", "/run", `{"model":"` + testModel + `","input":{"model":"` + other + `"}}`,
			"bad_input",
		},

		{"what tells no model, without a list", "all", "/ai/tomarkdown", `{"files":[]}`, ""},
		{"what tells no model", "meta", "/ai/tomarkdown", `{"files":[]}`, "client_forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			upstream.last = nil
			res, body := b.do("POST", c.path, c.body, "X-Api-Key", keyOf(c.client))
			if c.slug == "" {
				if res.StatusCode != 200 || upstream.last == nil {
					t.Errorf("got %d %s, upstream reached: %t; want 200, true", res.StatusCode, body,
						upstream.last != nil)
				}
				return
			}
			e := b.envelope(body).Error
			if upstream.last != nil || e.Name != c.slug {
				t.Fatalf("got %d %s, upstream reached: %t; want the name %s, false", res.StatusCode, body,
					upstream.last != nil, c.slug)
			}
			if c.slug == "client_forbidden" {
				wantEqual(t, "status", res.StatusCode, 403)
				wantEqual(t, "type", e.Type, "permission_error")
				wantEqual(t, "origin", e.Origin, "guard")
				wantEqual(t, "retryable", e.Retryable, false)
				if c.path != "/ai/tomarkdown" && (e.Param == nil || *e.Param != "model") { // there it names no model
					t.Errorf("got the param %v in %s, want model", e.Param, body)
				}
			}
		})
	}
}

func TestAClientSeesTheModelsOfItsList(t *testing.T) {
	b := newBench(t, workersai.New(workersai.Options{}),
		withClients(t, "all", `meta, models: ["@cf/meta/*","@cf/baai/bge-m3"]`, `few, models: ["@cf/nobody/*"]`))
	list := func(client string) []string {
		res, body := b.do("GET", "/v1/models", "", "Authorization", "Bearer "+keyOf(client))
		var l struct{ Data []struct{ ID string } }
		if err := json.Unmarshal(body, &l); err != nil || res.StatusCode != 200 {
			t.Fatalf("got %d %s (%v), want 200 and a list", res.StatusCode, body, err)
		}
		if l.Data == nil {
			t.Fatalf("got %s, want a list with data", body)
		}
		var names []string
		for _, m := range l.Data {
			names = append(names, m.ID)
		}
		return names
	}
	all := list("all")
	var want []string
	for _, name := range all {
		if strings.HasPrefix(name, "@cf/meta/") || name == "@cf/baai/bge-m3" {
			want = append(want, name)
		}
	}
	if len(want) < 2 || len(want) == len(all) {
		t.Errorf("got %d models of %d on the list, want two or more, but not all", len(want), len(all))
	}
	wantEqual(t, "models", strings.Join(list("meta"), " "), strings.Join(want, " "))
	if got := list("few"); len(got) != 0 {
		t.Errorf("a client whose list matches nothing: got %v, want no models", got)
	}
}

// Finetunes are read by all and made by those who may; for all others the paths
// to make them are as if they did not exist.
func TestFinetunes(t *testing.T) {
	upstream := &asked{}
	b := newBench(t, upstream, withClients(t, "reader", "maker, finetunes: true",
		`picky, finetunes: true, models: ["@cf/meta/*"]`))
	open := newBench(t, upstream)
	const adapter = `{"model":"@cf/mistral/mistral-7b-instruct-v0.2-lora","name":"mine","public":false}`
	kind, form := mediatest.Form(t, mediatest.Part{Name: "file_name", Content: "adapter_model.safetensors"},
		mediatest.Part{Name: "file", File: "a.safetensors", Content: "\x00\x01\xff weights"})
	assets := "/ai/finetunes/8f0c-1/finetune-assets"
	for _, c := range []struct {
		method, path, kind, body string
		maker                    int // status for those who may
		reader                   int // and who may not
		allow                    string
	}{
		{"GET", "/ai/finetunes", "", "", 200, 200, ""},
		{"GET", "/ai/finetunes/public", "", "", 200, 200, ""},
		{"POST", "/ai/finetunes", "application/json", adapter, 200, 405, "GET"},
		{"POST", "/client/v4/accounts/" + testAccount + "/ai/finetunes", "application/json", adapter, 200, 405, "GET"},
		{"POST", assets, kind, string(form), 200, 404, ""},
		{"GET", assets, "", "", 405, 404, ""},
		{"DELETE", "/ai/finetunes", "", "", 405, 405, "GET"},
		{"POST", "/ai/finetunes/public", "application/json", adapter, 405, 405, "GET"},
		{"POST", "/ai/finetunes/a/b/finetune-assets", kind, string(form), 404, 404, ""},
		{"POST", "/ai/finetunes//finetune-assets", kind, string(form), 404, 404, ""},
		{"GET", "/ai/finetunes/8f0c-1", "", "", 404, 404, ""},
	} {
		ask := func(b *bench, key string, want int, allow string) {
			t.Helper()
			upstream.last = nil
			upstream.all.Reset()
			header := []string{"Content-Type", c.kind}
			if key != "" {
				header = append(header, "X-Api-Key", key)
			}
			res, _ := b.do(c.method, c.path, c.body, header...)
			what := c.method + " " + c.path
			wantEqual(t, what+": status", res.StatusCode, want)
			wantEqual(t, what+": reached upstream", upstream.last != nil, want == 200)
			if want == 405 && allow != "" {
				wantEqual(t, what+": Allow", res.Header.Get("Allow"), allow)
			}
			if want == 200 && upstream.last != nil {
				if !strings.HasSuffix(strings.TrimSuffix(upstream.text(), "\n"), c.body) {
					t.Errorf("%s: got upstream %.400s, want at its end the body %.200q", what, upstream.text(), c.body)
				}
				wantEqual(t, what+": Content-Type upstream", upstream.header("Content-Type"), c.kind)
				wantHas(t, what+": path upstream", upstream.last.URL.Path, "/ai/finetunes")
			}
		}
		ask(b, keyOf("maker"), c.maker, "")
		ask(b, keyOf("picky"), c.maker, "")
		ask(b, keyOf("reader"), c.reader, c.allow)
		ask(open, "", c.reader, c.allow)
	}
}

// The series tell clients apart, those of calls as long as there are few.
func TestClientsInTheSeries(t *testing.T) {
	for _, c := range []struct {
		clients int
		label   string
	}{{50, "a"}, {51, metrics.Other}} {
		entries := []string{"a, daily_neurons: 100"}
		for i := 1; i < c.clients; i++ {
			entries = append(entries, fmt.Sprintf("client-%d", i))
		}
		virtually(t, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, withClients(t, entries...))
			defer g.close()
			if w := g.post(chatPath, chat, "X-Api-Key", keyOf("a")); w.Code != 200 {
				t.Fatalf("with a key: got %d %s, want 200", w.Code, w.Body)
			}
			if w := g.post(chatPath, chat); w.Code != 401 {
				t.Fatalf("without a key: got %d %s, want 401", w.Code, w.Body)
			}
			b := &bench{t: t, metrics: g.config.Metrics}
			if n := b.value("neuronward_requests_total", "client", c.label, "result", "ok"); n != 1 {
				t.Errorf("%d clients: got %v calls of %s, want 1", c.clients, n, c.label)
			}
			if n := b.value("neuronward_requests_total", "client", "anonymous", "result",
				"client_unauthorized"); n != 1 {
				t.Errorf("%d clients: got %v calls of nobody, want 1", c.clients, n)
			}
			spent := b.value("neuronward_neurons_total", "client", "a", "basis", "reported")
			if want := g.sim.Billed().Float(); spent != want || spent == 0 {
				t.Errorf("%d clients: got %v spent by a, want %v and more than 0", c.clients, spent, want)
			}
			s := g.ledger.Snapshot()
			if len(s.Clients) != 1 {
				t.Fatalf("got the budgets %+v, want one", s.Clients)
			}
			wantEqual(t, "used", s.Clients[0].Used.Float(), spent)
			wantEqual(t, "limit", s.Clients[0].Limit, 100*neuron)
		})
	}
}

// Who submitted a batch is the one who may ask after it.
func TestABatchIsItsClientsOwn(t *testing.T) {
	virtually(t, func(t *testing.T) {
		g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, withClients(t, "a", "b"))
		defer g.close()
		path := "/ai/run/" + testModel + "?queueRequest=true"
		w := g.post(path, `{"requests":[{"prompt":"one"},{"prompt":"two"}]}`, "X-Api-Key", keyOf("a"))
		id, status := batchOf(w.Body.String())
		if w.Code != 200 || id == "" {
			t.Fatalf("got %d %s, the id %q; want 200, an id", w.Code, w.Body, id)
		}
		wantEqual(t, "status of the batch", status, "queued")
		poll := `{"request_id":"` + id + `"}`
		reached := g.sim.Requests()
		w = g.post(path, poll, "X-Api-Key", keyOf("b"))
		wantEqual(t, "another client: status", w.Code, 403)
		wantHas(t, "another client", w.Body.String(), "client_forbidden")
		wantEqual(t, "another client: calls upstream", g.sim.Requests(), reached)
		for range 2 { // the first may find it running
			if w = g.post(path, poll, "X-Api-Key", keyOf("a")); w.Code != 200 {
				t.Errorf("its own: got %d %s, want 200", w.Code, w.Body)
			}
		}
		if !strings.Contains(w.Body.String(), "responses") {
			t.Errorf("its own: got %s, want it done, with responses", w.Body)
		}
		if w := g.post(path, poll, "X-Api-Key", keyOf("b")); w.Code != 403 {
			t.Errorf("another client, once it is done: got %d %s, want 403", w.Code, w.Body)
		}
	})
}

// A caller's own token calls its own account: that is neither counted nor paced, but
// the list of models holds.
func TestAClientWithATokenOfItsOwn(t *testing.T) {
	var got http.Header
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = io.Copy(io.Discard, r.Body)
		answerJSON(200, chatAnswer)(w, r)
	}), withoutToken, withClients(t, `meta, models: ["@cf/meta/*"]`))
	path := "/client/v4/accounts/fedcba9876543210fedcba9876543210/ai/run/"
	if res, body := b.do("POST", path+testModel, `{"prompt":"x"}`, "Authorization", "Bearer theirs", "X-Api-Key",
		keyOf("meta")); res.StatusCode != 200 {
		t.Errorf("got %d %s, want 200", res.StatusCode, body)
	}
	if token, key := got.Get("Authorization"), got.Get("X-Api-Key"); token != "Bearer theirs" || key != "" {
		t.Errorf("upstream: got Authorization %q, X-Api-Key %q; want \"Bearer theirs\" and none", token, key)
	}
	got = nil
	if res, _ := b.do("POST", path+"@cf/baai/bge-m3", `{"text":"x"}`, "Authorization", "Bearer theirs", "X-Api-Key",
		keyOf("meta")); res.StatusCode != 403 || got != nil {
		t.Errorf("got %d, upstream %v; want 403 and nothing upstream", res.StatusCode, got)
	}
}
