package deploytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/deploy/test/loopback"
	"github.com/neuronward/neuronward/proxy/workersai"
)

// An alertmanager is a real server with the configuration of deploy/prometheus, which sends nothing anywhere.
type alertmanager struct {
	*process
	address string
}

func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	config, err := filepath.Abs(filepath.Join(prometheusDir, "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	a := &alertmanager{address: loopback.Free(t)}
	a.process = launch(t, nil, "prometheus-alertmanager", "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address="+a.address, "--cluster.listen-address=", "--log.level=warn")
	until(t, "Alertmanager is ready", func() bool {
		resp, err := http.Get("http://" + a.address + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return a
}

// A notice is an alert that Alertmanager has.
type notice struct {
	Labels, Annotations map[string]string
	Status              struct {
		State     string
		Inhibited []string `json:"inhibitedBy"`
	}
}

// notices are the alerts of this name that it has now, and are of the right job.
func (a *alertmanager) notices(t *testing.T, name, severity string) []notice {
	t.Helper()
	resp, err := http.Get("http://" + a.address + "/api/v2/alerts?filter=alertname%3D" + name + "&filter=severity%3D" +
		severity)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var found []notice
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	for _, n := range found {
		if n.Labels["job"] != "gateway" || !strings.HasSuffix(n.Annotations["runbook_url"], "/"+name+".md") {
			t.Errorf("alert = %+v, want the job gateway and the runbook %s.md", n, name)
		}
	}
	return found
}

// burnt is what the alert says of half of the calls, which Prometheus may have scraped while they came.
var burnt = regexp.MustCompile(`^\d+(\.\d+)?% of the calls of gateway failed in the last (hour|6 hours), and they ` +
	`still do\.$`)

var waits = regexp.MustCompile(`(?m)^( +)for: .*$`)

// impatient are copies of the rules whose alerts do not wait.
func impatient(t *testing.T) []string {
	t.Helper()
	files, _ := ruleFiles(t)
	copies := hurried(t, files)
	for _, path := range copies {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, waits.ReplaceAll(text, []byte("${1}for: 0s")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copies
}

// Two replicas serve, Workers AI begins to fail, and then says that the day is spent: Alertmanager hears of
// both, and of the second not before it is so.
func TestAlertsReachAlertmanager(t *testing.T) {
	a := startAlertmanager(t)
	f := startServing(t, 2, startUpstream(t, workersai.Options{}))
	p := startPrometheus(t, map[string][]string{"gateway": f.targets()},
		ruleConfig(impatient(t))+fmt.Sprintf("alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\n",
			a.address))
	until(t, "both replicas have been scraped twice", func() bool {
		return p.has(t, `count(count_over_time(neuronward_overhead_seconds_count[1m]) >= 2) == 2`)
	})
	var calls sync.WaitGroup
	for n := range 40 {
		c := run("console", chatModel, "")
		if n%2 == 0 {
			c = run("console", chatModel, "3043")
		}
		calls.Go(func() {
			if _, err := f.send(t.Context(), f.replicas[n/2%2], c); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	var burn []notice
	until(t, "the burn is a page", func() bool {
		burn = a.notices(t, "NeuronwardErrorBudgetBurn", "page")
		return len(burn) > 0
	})
	if said := burn[0].Annotations["summary"]; !burnt.MatchString(said) {
		t.Errorf("summary when half of the calls fail = %q, want %v", said, burnt)
	}
	until(t, "the warnings of the same burn are held back", func() bool {
		warnings := a.notices(t, "NeuronwardErrorBudgetBurn", "warning")
		for _, w := range warnings {
			if w.Status.State != "suppressed" || len(w.Status.Inhibited) == 0 {
				return false
			}
		}
		return len(warnings) > 0
	})
	if early := a.notices(t, "NeuronwardQuotaLatched", "page"); len(early) > 0 {
		t.Errorf("alerts before the day is spent = %+v, want none", early)
	}
	f.spend()
	until(t, "that the account is latched is a page",
		func() bool { return len(a.notices(t, "NeuronwardQuotaLatched", "page")) > 0 })
	until(t, "that the guard missed it is a warning",
		func() bool { return len(a.notices(t, "NeuronwardQuotaMissed", "warning")) > 0 })
}
