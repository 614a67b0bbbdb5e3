package deploytest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A proxy whose calls have all failed since it started has no series of calls that did not: that is 0 %, and no
// lack of calls.
func TestThatNothingSucceedsIsShown(t *testing.T) {
	var expression string
	for _, p := range dashboards(t)["neuronward / Traffic"].queries() {
		if p.Title == "Succeed" {
			expression = picked.Replace(p.Targets[0].Expr)
		}
	}
	for name, c := range map[string]struct {
		results []string
		shown   string
	}{
		"all fail":     {[]string{"authentication_failed"}, `[{labels: "{}", value: 0}]`},
		"half of them": {[]string{"authentication_failed", "ok"}, `[{labels: "{}", value: 0.5}]`},
		"callers left": {[]string{"client_gone"}, `[]`},
		"no call":      {nil, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			input := ""
			for _, result := range c.results {
				input += fmt.Sprintf("      - {series: 'neuronward_requests_total{job=\"a\", instance=\"a\", "+
					"result=%q}', values: 0+1x60}\n", result)
			}
			test := fmt.Sprintf(`
evaluation_interval: 1s
tests:
  - interval: 1s
    input_series:
%s    promql_expr_test:
      - {expr: %q, eval_time: 30s, exp_samples: %s}
`, input, expression, c.shown)
			path := filepath.Join(t.TempDir(), "test.yml")
			if err := os.WriteFile(path, []byte(test), 0o600); err != nil {
				t.Fatal(err)
			}
			runTool(t, "promtool", "test", "rules", path)
		})
	}
}
