package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// noting notes what is reserved while a call is under way.
type noting struct {
	http.RoundTripper
	ledger   *quota.Ledger
	reserved float64
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	n.reserved = n.ledger.Snapshot().Account.Reserved.Float()
	return n.RoundTripper.RoundTrip(r)
}

// A prompt that upstream fetches or remembers in part, and an odd limit, are reserved as the context window, and
// settled by what the answer reports.
func TestTheContextWindowIsReserved(t *testing.T) {
	const (
		window = 32_000 * 0.013778  // of the prompt, in neurons
		output = 32_000 * 0.026128  // of the answer
		unseen = 131_072 * 0.010000 // of a prompt, of a model whose window is not known
		native = "/run/" + testModel
		old    = "/run/@cf/mistral/mistral-7b-instruct-v0.1"
	)
	for _, c := range []struct {
		name, path, body string
		want             float64 // at least, and less than ten more
	}{
		{"chat", chatPath, `"max_tokens":9,"messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]`, window},
		{"responses", "/v1/responses", `"max_output_tokens":9,"input":"x","previous_response_id":"r"`, window},
		{
			"anthropic", "/v1/messages",
			`"max_tokens":9,"messages":[{"content":[{"type":"document","source":{"type":"url","url":"u"}}]}]`, window,
		},
		{"native", native, `"max_tokens":9,"prompt":"x","video_url":"u"`, window},
		{"no known window", old, `"max_tokens":9,"prompt":"x","video_url":"u"`, unseen},
		{"an odd limit, chat", chatPath, `"max_tokens":-1,"messages":[]`, output},
		{"an odd limit, responses", "/v1/responses", `"max_output_tokens":"x","input":"x"`, output},
		{"an odd limit, anthropic", "/v1/messages", `"max_tokens":0,"messages":[]`, output},
		{"an odd limit, native", native, `"max_tokens":1.5,"prompt":"x"`, output},
		{"neither", chatPath, `"max_tokens":9,"messages":[]`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			const answer = `{"result":{"usage":{"neurons":1.5}},"success":true,"usage":{"neurons":1.5}}`
			n := &noting{RoundTripper: &answering{http.Header{}, answer}}
			g := newGuarded(t, quota.Options{Limit: 10_000 * quota.OneNeuron}, workersai.Options{}, func(cfg *Config) {
				cfg.Transport, n.ledger = n, cfg.Ledger
			})
			if res := g.post(c.path, fmt.Sprintf(`{"model":%q,%s}`, testModel, c.body)); res.Code != 200 {
				t.Fatalf("got %d %s, want 200", res.Code, res.Body)
			}
			if n.reserved < c.want || n.reserved >= c.want+10 {
				t.Errorf("got %v neurons reserved, want at least %v and less than 10 more", n.reserved, c.want)
			}
			if got := g.close().Account.Used.Float(); got != 1.5 {
				t.Errorf("got %v neurons used, want 1.5", got)
			}
		})
	}
}

// The list has the context window of each model for which one is known, whether the catalog names it or not.
func TestTheListHasContextWindows(t *testing.T) {
	var found []string
	want := map[string]int64{"@cf/new/model": 0, "@cf/meta/llama-3.1-70b-instruct": 24_000}
	for _, name := range price.Embedded().Models() {
		want[name] = price.Embedded().Resolve(name).ContextWindow
	}
	want["@cf/qwen/qwq-32b"], want["@cf/zai-org/glm-5.2"] = 40_000, 50_000 // as the catalog says, in two forms
	for name := range want {
		properties := map[string]string{
			"@cf/qwen/qwq-32b":    `{"property_id":"context_window","value":"40000"}`,
			"@cf/zai-org/glm-5.2": `{"property_id":"context_window","value":50000}`,
		}[name]
		found = append(found, fmt.Sprintf(`{"name":%q,"task":{"name":"X"},"properties":[%s]}`, name, properties))
	}
	g := newGuarded(t, quota.Options{}, workersai.Options{}, func(cfg *Config) {
		cfg.Transport = &answering{http.Header{}, `{"success":true,"result":[` + strings.Join(found, ",") + `]}`}
	})
	defer g.close()
	var list struct {
		Data []struct {
			ID            string `json:"id"`
			ContextWindow *int64 `json:"context_window"`
		} `json:"data"`
	}
	if err := json.Unmarshal(g.get("/v1/models").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if got := len(list.Data); got != len(want) {
		t.Errorf("got %d models, want %d", got, len(want))
	}
	for _, m := range list.Data {
		switch window := want[m.ID]; {
		case m.ContextWindow == nil && window != 0:
			t.Errorf("%s: got no context window, want %d", m.ID, window)
		case m.ContextWindow != nil && *m.ContextWindow != window:
			t.Errorf("%s: got the context window %d, want %d", m.ID, *m.ContextWindow, window)
		}
	}
}
