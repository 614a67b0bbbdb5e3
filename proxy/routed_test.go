package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/modelname"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// answering is an upstream that answers every call alike.
type answering struct {
	header http.Header
	body   string
}

func (u *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	h := u.header.Clone()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{
		StatusCode: 200, Header: h, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(u.body)),
	}, nil
}

// A router may choose a model of Workers AI. Nothing is reserved for such a call; the answer says which model ran, and
// its price settles the call.
func TestARoutedCallIsSettledByTheModelThatRan(t *testing.T) {
	const (
		gemma = "@cf/google/gemma-4-26b-a4b-it"
		usage = `"usage":{"prompt_tokens":700,"completion_tokens":100}`
	)
	tokens := func(model string) quota.Neurons { return price.Embedded().Resolve(model).Tokens(700, 0, 100) }
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	events := header("Content-Type", "text/event-stream")
	for _, c := range []struct {
		name, model string
		answer      answering
		want        quota.Neurons
		label       string // of the neurons; "": third_party
	}{
		{
			"by cf-aig-model", "dynamic/x",
			answering{header("Cf-Aig-Model", gemma), `{` + usage + `}`},
			tokens(gemma), gemma,
		},
		{
			"with the provider", "dynamic/x",
			answering{header("Cf-Aig-Model", "workers-ai/"+gemma), `{` + usage + `}`},
			tokens(gemma), gemma,
		},
		{
			"by cf-aig-routed-model", "cloudflare/auto",
			answering{header("Cf-Aig-Routed-Model", testModel), `{` + usage + `}`},
			tokens(testModel), testModel,
		},
		{
			"the header before the answer", "custom/x",
			answering{
				header("Cf-Aig-Model", gemma),
				`{"model":"` + testModel + `",` + usage + `}`,
			},
			tokens(gemma), gemma,
		},
		{
			"by the answer", "custom/x",
			answering{header(), `{"model":"` + gemma + `",` + usage + `}`},
			tokens(gemma), gemma,
		},
		{
			"by neurons", "dynamic/x",
			answering{header("Cf-Aig-Model", gemma), `{"usage":{"neurons":3.5}}`},
			quota.FromFloat(3.5), gemma,
		},
		{"by a stream", "dynamic/x", answering{
			events,
			`data: {"model":"` + gemma + `","choices":[{"delta":{"content":"x"}}]}` + "\n\n" +
				`data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
				`data: {"choices":[],` + usage + `}` + "\n\ndata: [DONE]\n\n",
		}, tokens(gemma), gemma},
		{
			"a model that the table does not know", "dynamic/x",
			answering{
				header("Cf-Aig-Model", "@cf/nobody/new"),
				`{"usage":{"neurons":2}}`,
			},
			quota.FromFloat(2), "other",
		},
		{
			"another provider's", "dynamic/x",
			answering{header("Cf-Aig-Model", "openai/gpt-4.1"), `{"model":"` + gemma + `",` + usage + `}`},
			0, "",
		},
		{
			"another provider's, by the answer", "cloudflare/auto",
			answering{header(), `{"model":"gpt-4.1",` + usage + `}`},
			0, "",
		},
		{"nobody says", "cloudflare/auto", answering{header(), `{` + usage + `}`}, 0, ""},
		{
			"no router", "openai/gpt-4.1",
			answering{header("Cf-Aig-Model", gemma), `{` + usage + `}`},
			0, "",
		},
		{
			"out of a cache", "dynamic/x",
			answering{header("Cf-Aig-Model", gemma, "Cf-Aig-Cache-Status", "HIT"), `{` + usage + `}`},
			0, gemma,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := quota.OneNeuron / 1000 // even where the day has no room
			g := newGuarded(t, quota.Options{Limit: limit}, workersai.Options{}, func(cfg *Config) {
				cfg.Transport, cfg.AllowedModels = &c.answer, modelname.List{"*"}
			}, withClients(t, "team, daily_neurons: 1000"))
			defer g.close()
			body := strings.Replace(chat, testModel, c.model, 1)
			if res := g.post(chatPath, body, "Authorization", "Bearer "+keyOf("team")); res.Code != 200 {
				t.Fatalf("got %d %s, want 200", res.Code, res.Body)
			}
			s := g.ledger.Snapshot()
			if s.Account.Used != c.want {
				t.Errorf("got %v neurons of the account, want %v", s.Account.Used.Float(), c.want.Float())
			}
			if len(s.Clients) > 0 && s.Clients[0].Used != c.want || len(s.Clients) == 0 && c.want > 0 {
				t.Errorf("got %+v, want %v neurons of the client", s.Clients, c.want.Float())
			}
			label := c.label
			if label == "" {
				label = "third_party"
			}
			b := &bench{t: t, metrics: g.config.Metrics}
			if got := b.value("neuronward_neurons_total", "model", label); got != c.want.Float() {
				t.Errorf("got %v neurons in the series of %s, want %v", got, label, c.want.Float())
			}
			if unmetered := strings.Contains(g.log.String(), `"basis":"unmetered"`); unmetered != (c.label == "") {
				t.Errorf("got unmetered %t on the log line, want %t", unmetered, c.label == "")
			}
		})
	}
}
