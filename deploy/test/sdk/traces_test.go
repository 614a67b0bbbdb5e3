package sdk

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/metrics/tracing/otlptest"
)

// The tree of spans in metrics/README.md stands between these.
const (
	treeBegins = "<!-- made by .ci/sdk -update: the tree -->\n```text\n"
	treeEnds   = "```\n<!-- end -->\n"
)

// TestOneTrace follows one trace from an app through the proxy, which makes three attempts, to the simulated Workers
// AI.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	collector := otlptest.New(t)
	otel := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL
	demo := start(t, build(t), "demo", "NEURONWARD_RETRIES=2", "NEURONWARD_QUOTA_MODE=enforce", otel)
	cmd := exec.CommandContext(t.Context(), "node", "app.js")
	cmd.Dir = "traces"
	cmd.Env = append(cmd.Environ(), "APP_BASE_URL="+demo.url+"/v1", otel)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("node app.js: %v (npm ci in traces/ installs what it needs)\n%s", err, out)
	}
	there := demo.traceparents(t, "traced")
	demo.stop()
	spans := collector.Await(6)
	tree := otlptest.Tree(spans, "error.type", "http.response.status_code", "neuronward.neurons",
		"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
	var sent []string
	for _, s := range spans {
		if s.Trace != spans[0].Trace {
			t.Errorf("%s is part of another trace, want one", s.Name)
		}
		if s.Service == "neuronward" && strings.HasPrefix(s.Name, "chat ") {
			sent = append(sent, "00-"+s.Trace+"-"+s.ID+"-01")
		}
	}
	if len(sent) != 3 || !slices.Equal(there, sent) {
		t.Errorf("Workers AI got the traceparents %q, want those of three attempts, %q", there, sent)
	}
	path := filepath.Join("..", "..", "..", "metrics", "README.md")
	old := contents(t, path)
	before, rest, begins := strings.Cut(old, treeBegins)
	_, after, ends := strings.Cut(rest, treeEnds)
	if !begins || !ends {
		t.Fatalf("%s: got no %q or no %q, want both", path, treeBegins, treeEnds)
	}
	hold(t, path, old, before+treeBegins+tree+treeEnds+after)
}

// traceparents lists what the demo's Workers AI got in a session.
func (p *process) traceparents(t *testing.T, session string) (all []string) {
	t.Helper()
	resp, err := http.Get(p.url + "/__simulate/calls?session=" + session)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Calls []struct {
			Traceparent string `json:"traceparent"`
		} `json:"calls"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, c := range list.Calls {
		all = append(all, c.Traceparent)
	}
	return all
}
