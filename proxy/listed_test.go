package proxy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modellist"
	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

// get asks a guarded proxy for one path.
func (g *guarded) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.proxy.ServeHTTP(w, r)
	return w
}

const paidModel = "@cf/moonshotai/kimi-k2.6"

// The list has what this caller may call: by the operator, its own list and the plan.
func TestTheListHasWhatMayBeCalled(t *testing.T) {
	for _, c := range []struct {
		name    string
		mode    quota.Mode
		change  func(*Config)
		client  string
		with    []string
		without []string
	}{
		{
			"the free plan", quota.Enforce, func(c *Config) { c.FreePlan = true }, "all",
			[]string{testModel, "@cf/baai/bge-m3"},
			[]string{paidModel},
		},
		{"a paid plan", quota.Enforce, func(*Config) {}, "all", []string{testModel, paidModel}, nil},
		{
			"the free plan, observed", quota.Observe, func(c *Config) { c.FreePlan = true }, "all",
			[]string{testModel, paidModel},
			nil,
		},
		{
			"no counting", quota.Enforce, func(c *Config) { c.FreePlan, c.Ledger = true, nil }, "all",
			[]string{paidModel},
			nil,
		},
		{
			"the operator's list", quota.Enforce,
			func(c *Config) { c.AllowedModels = modelname.List{"@cf/baai/*"} }, "all",
			[]string{"@cf/baai/bge-m3"},
			[]string{testModel},
		},
		{
			"the client's list", quota.Enforce, func(*Config) {}, "baai",
			[]string{"@cf/baai/bge-m3"},
			[]string{testModel},
		},
		{
			"both", quota.Enforce, func(c *Config) { c.AllowedModels = modelname.List{"@cf/meta/*"} }, "baai",
			nil,
			[]string{"@cf/baai/bge-m3", testModel},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuarded(t, quota.Options{Mode: c.mode}, workersai.Options{}, c.change,
				withClients(t, "all", `baai, models: ["@cf/baai/*"]`))
			defer g.close()
			key := []string{"Authorization", "Bearer " + keyOf(c.client)}
			var list modellist.List
			res := g.get("/v1/models", key...)
			if err := json.Unmarshal(res.Body.Bytes(), &list); err != nil {
				t.Fatalf("got %d %.200s (%v), want a list", res.Code, res.Body, err)
			}
			wantEqual(t, "object", list.Object, "list")
			wantEqual(t, "has data", list.Data != nil, true)
			has := map[string]bool{}
			for _, m := range list.Data {
				has[m.ID] = true
			}
			for _, name := range c.with {
				if !has[name] {
					t.Errorf("got a list without %s, want it listed", name)
				}
				if res := g.get("/v1/models/"+name, key...); res.Code != 200 {
					t.Errorf("%s: got %d %s, want 200", name, res.Code, res.Body)
				}
			}
			for _, name := range c.without {
				if has[name] {
					t.Errorf("got a list with %s, want it left out", name)
				}
				if res := g.get("/v1/models/"+name, key...); res.Code != 404 {
					t.Errorf("%s: got %d %s, want 404", name, res.Code, res.Body)
				}
			}
		})
	}
}

func TestWhatTheListSaysOfAModel(t *testing.T) {
	g := newGuarded(t, quota.Options{}, workersai.Options{})
	defer g.close()
	for _, path := range []string{
		"/v1/models/" + testModel, "/v1/models/" + strings.ReplaceAll(testModel, "/", "%2F"),
		"/ai/v1/models/" + testModel, "/v1/models/workers-ai/" + testModel, "/v1/models/" + testModel + "/",
	} {
		res := g.get(path)
		var m modellist.Model
		if err := json.Unmarshal(res.Body.Bytes(), &m); err != nil || res.Code != 200 {
			t.Errorf("%s: got %d %s (%v), want 200 and a model", path, res.Code, res.Body, err)
			continue
		}
		wantEqual(t, path+": id", m.ID, testModel)
		wantEqual(t, path+": object", m.Object, "model")
		wantEqual(t, path+": owner", m.OwnedBy, "meta")
		if m.Task != workload.TextGeneration || m.ContextWindow <= 0 {
			t.Errorf("%s: got the task %q and a window of %d, want %q and more than 0", path, m.Task, m.ContextWindow,
				workload.TextGeneration)
		}
		if p := m.NeuronsPerMillion; p == nil || *p != (modellist.Prices{Input: 13778, Output: 26128}) {
			t.Errorf("%s: got the prices %+v, want 13,778 and 26,128", path, p)
		}
	}
	for _, path := range []string{
		"/v1/models/@cf/nobody/knows", "/v1/models/openai/gpt-4.1", "/v1/models/search",
		"/v1/models/" + testModel + "x",
	} {
		res := g.get(path)
		var e envelope
		_ = json.Unmarshal(res.Body.Bytes(), &e)
		wantEqual(t, path+": status", res.Code, 404)
		wantEqual(t, path+": name", e.Error.Name, "invalid_model_id")
		wantEqual(t, path+": number", e.Error.Number, 3042)
		if want := strings.TrimPrefix(path, "/v1/models/"); !strings.Contains(e.Error.Message, want) {
			t.Errorf("%s: message = %q, want the name %s in it", path, e.Error.Message, want)
		}
	}
	for query, want := range map[string]workload.Task{
		"?task=text-embeddings": workload.TextEmbeddings, "?task=Text+Embeddings": workload.TextEmbeddings,
		"?task=text-to-image": workload.TextToImage, "?task=cooking": "", "?task=": "any",
	} {
		var list modellist.List
		if err := json.Unmarshal(g.get("/v1/models"+query).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if (len(list.Data) == 0) != (want == "") {
			t.Errorf("%s: got %d models, want some: %t", query, len(list.Data), want != "")
		}
		for _, m := range list.Data {
			if want != "any" && m.Task != want {
				t.Errorf("%s: got %s of the task %q, want %q", query, m.ID, m.Task, want)
			}
		}
	}
	// A model that is billed by another unit says nothing of tokens.
	if res := g.get("/v1/models/@cf/openai/whisper"); strings.Contains(res.Body.String(), "neurons_per_million") {
		t.Errorf("got %s, want no price of tokens", res.Body)
	}
	if res := g.post("/v1/models/"+testModel, "{}"); res.Code != 405 {
		t.Errorf("got %d for POST, want 405", res.Code)
	}
}
