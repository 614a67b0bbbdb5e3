package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// A prometheus is a real server that scrapes every second.
type prometheus struct {
	*process
	url string
}

// startPrometheus starts a server that scrapes these addresses, by job. more is what its configuration says
// beyond that, such as rule_files or alerting, from the first column on.
func startPrometheus(t *testing.T, jobs map[string][]string, more string) *prometheus {
	t.Helper()
	var text strings.Builder
	text.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nscrape_configs:\n")
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		fmt.Fprintf(&text, "  - job_name: %s\n    static_configs:\n      - targets: ['%s']\n", job,
			strings.Join(jobs[job], "', '"))
	}
	text.WriteString(more)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	address := loopback.Free(t)
	p := &prometheus{url: "http://" + address}
	p.process = launch(t, nil, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--enable-feature=exemplar-storage", "--log.level=warn")
	until(t, "Prometheus is ready", func() bool {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// A series is one of an answer to a query.
type series struct {
	Metric map[string]string `json:"metric"`
	Values []sample          `json:"values"` // of a range
	Value  sample            `json:"value"`  // at an instant
}

// A sample is a value at a time.
type sample struct {
	at    time.Time
	value float64
}

// UnmarshalJSON reads [1435781451.781, "1"].
func (s *sample) UnmarshalJSON(b []byte) error {
	var at float64
	var value string
	if err := json.Unmarshal(b, &[]any{&at, &value}); err != nil {
		return err
	}
	s.at = time.UnixMilli(int64(at * 1000))
	var err error
	s.value, err = strconv.ParseFloat(value, 64)
	return err
}

// query asks for expr at the present.
func (p *prometheus) query(expr string) ([]series, error) {
	var data struct{ Result []series }
	err := p.ask("query", url.Values{"query": {expr}}, &data)
	return data.Result, err
}

// queryRange asks for expr from a time until now, at every step.
func (p *prometheus) queryRange(expr string, from time.Time, step time.Duration) ([]series, error) {
	var data struct{ Result []series }
	err := p.ask("query_range", url.Values{
		"query": {expr}, "start": {from.UTC().Format(time.RFC3339Nano)},
		"end":  {time.Now().UTC().Format(time.RFC3339Nano)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}, &data)
	return data.Result, err
}

// exemplars reports whether a series has exemplars with request ids.
func (p *prometheus) exemplars(t *testing.T, series string) bool {
	t.Helper()
	var found []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now()
	err := p.ask("query_exemplars", url.Values{
		"query": {series}, "start": {now.Add(-time.Hour).UTC().Format(time.RFC3339)},
		"end": {now.UTC().Format(time.RFC3339)},
	}, &found)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		for _, e := range f.Exemplars {
			if e.Labels["request_id"] != "" {
				return true
			}
		}
	}
	return false
}

// ask reads the data of an answer of the HTTP API into data.
func (p *prometheus) ask(path string, q url.Values, data any) error {
	resp, err := http.PostForm(p.url+"/api/v1/"+path, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Warnings      []string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", path, resp.Status, err)
	}
	if answer.Status != "success" || len(answer.Warnings) > 0 {
		return fmt.Errorf("%s: %s %q", path, answer.Error, answer.Warnings)
	}
	return nil
}
