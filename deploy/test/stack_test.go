package deploytest

import (
	"slices"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
	"github.com/neuronward/neuronward/proxy/workersai"
)

// A stack is a Prometheus, and proxies that met all that can be met while it watched.
type stack struct {
	*prometheus
	began time.Time
}

const (
	loadPause = 25 * time.Millisecond // between two calls to a fleet
	loadTime  = 20 * time.Second      // in which every way to fail comes several times
)

// startStack runs three replicas of the demo as the job neuronward and, as the job sidecar, one proxy in front
// of a Workers AI that means what it says: there a breaker opens, the pace is cut and in the end the day is
// spent. It returns once Prometheus has seen all of that, and has evaluated these files of rules.
func startStack(t *testing.T, ruleFiles ...string) *stack {
	t.Helper()
	demos := startDemos(t, 3)
	files := certtest.NewFiles(t, certtest.New(t, 1, time.Now()))
	sidecar := startServing(t, 1, startUpstream(t, workersai.Options{Latency: 10 * time.Millisecond}),
		"NEURONWARD_TLS_CERT="+files.Cert, "NEURONWARD_TLS_KEY="+files.Key)
	s := &stack{began: time.Now()}
	s.prometheus = startPrometheus(t, map[string][]string{"neuronward": demos.targets(), "sidecar": sidecar.targets()},
		ruleConfig(ruleFiles))
	demos.load(loadPause)
	sidecar.load(loadPause)
	until(t, "the load has met everything", func() bool {
		return time.Since(s.began) >= loadTime && s.has(t, `neuronward_breaker_open`) &&
			s.has(t, `neuronward_unclassified_total`)
	})
	sidecar.spend()
	until(t, "calls have been refused for a while because the day is spent", func() bool {
		return s.has(t, `neuronward_quota_latched{job="sidecar"} offset 3s == 1 and on() `+
			`neuronward_preempted_total{job="sidecar", reason="latched"} > 0`)
	})
	return s
}

// has reports whether expr has any value at present.
func (p *prometheus) has(t *testing.T, expr string) bool {
	t.Helper()
	found, err := p.query(expr)
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// names are those of the product's series that were scraped.
func (p *prometheus) names(t *testing.T) []string {
	t.Helper()
	found, err := p.query(`group by (__name__) ({__name__=~"neuronward_.+"})`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range found {
		names = append(names, s.Metric["__name__"])
	}
	slices.Sort(names)
	return names
}
