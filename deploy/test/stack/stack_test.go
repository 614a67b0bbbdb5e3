package stacktest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/deploy/test/loopback"
)

// maxWait is how long anything may take on a machine that has much else to do, compiling the demo included.
const maxWait = 4 * time.Minute

// grafana stands in for the one that cannot be had where this test runs: it answers only if it finds what it
// needs where it is told to look, and shows where that is.
const grafana = `#!/bin/sh
set -eu
test "$1" = --homepath && test -n "$2"
cat "$GF_PATHS_PROVISIONING"/*/*.yml
ls "$(sed -n 's/^ *path: //p' "$GF_PATHS_PROVISIONING/dashboards/neuronward.yml")/errors.json" \
	"$GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH" >&2
mkdir -p "$GF_PATHS_DATA/api"
echo ok >"$GF_PATHS_DATA/api/health"
exec busybox httpd -f -p "$GF_SERVER_HTTP_ADDR:$GF_SERVER_HTTP_PORT" -h "$GF_PATHS_DATA"
`

// What a dashboard is made of: calls of all clients, and failures of many kinds.
func TestDemoStack(t *testing.T) {
	testStack(t, false, []query{
		{`sum(up{job="neuronward"})`, 1},
		{`count(count by (name) (neuronward_errors_total > 0))`, 12},
		{`count(count by (client) (neuronward_requests_total{client=~"console|search|batch|intern",result="ok"}))`, 4},
		{`count(neuronward_retries_total{outcome="recovered"})`, 1},
		{`neuronward_neurons_used`, 1},
	})
}

func TestDemoStackWithGrafana(t *testing.T) {
	testStack(t, true, []query{{`sum(up{job="neuronward"})`, 1}})
}

// A query is answered by one figure that is not below min.
type query struct {
	query string
	min   float64
}

func testStack(t *testing.T, withGrafana bool, queries []query) {
	t.Parallel()
	app, admin, prometheus, dashboards := loopback.Free(t), loopback.Free(t), loopback.Free(t), loopback.Free(t)
	scratch, programs := t.TempDir(), t.TempDir()
	environ := append(os.Environ(), "NEURONWARD_LISTEN="+app, "NEURONWARD_ADMIN_LISTEN="+admin,
		"PROMETHEUS_LISTEN="+prometheus, "GRAFANA_LISTEN="+dashboards, //nolint:forbidigo // what a newcomer's shell has
		"LOAD_PAUSE=0.05", "TMPDIR="+scratch)
	if withGrafana {
		if err := os.WriteFile(filepath.Join(programs, "grafana-server"), []byte(grafana), 0o755); err != nil {
			t.Fatal(err)
		}
		environ = append(environ, "PATH="+programs+":"+os.Getenv("PATH")) //nolint:forbidigo // as above
	}

	cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "demo-stack")
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does, so that Ctrl-C reaches all of it
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	group := -cmd.Process.Pid
	t.Cleanup(func() { syscall.Kill(group, syscall.SIGKILL) })

	for _, want := range queries {
		until(t, want.query, ended, &said, func() bool { return ask(t, prometheus, want.query) >= want.min })
	}

	if groups := rules(t, prometheus); groups < 2 {
		t.Errorf("Prometheus has %d groups of rules, want 2 at least", groups)
	}

	// Ctrl-C.
	if err := syscall.Kill(group, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		// make's own words
		if err != nil && cmd.ProcessState.ExitCode() != 2 && !strings.Contains(err.Error(), "interrupt") {
			t.Errorf("the end after Ctrl-C = %v, want exit status 2, or an interrupt", err)
		}
	case <-time.After(maxWait):
		t.Fatalf("it did not end within %v after Ctrl-C, want it sooner:\n%s", maxWait, said.String())
	}
	out := said.String()
	for _, want := range []string{"http://" + app, "http://" + prometheus + "/alerts", "demo-stack: ended"} {
		if !strings.Contains(out, want) {
			t.Errorf("output, want %q in it:\n%s", want, out)
		}
	}
	line := regexp.MustCompile(`dashboards +http://` + regexp.QuoteMeta(dashboards))
	if shown := line.MatchString(out); shown != withGrafana {
		t.Errorf("the line of dashboards: %t, want %t:\n%s", shown, withGrafana, out)
	}
	for _, address := range []string{app, admin, prometheus, dashboards} {
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
			conn.Close()
			t.Errorf("something listens on %s after the end, want nothing", address)
		}
	}
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("files that it left = %v, want none", left)
	}
}

// rules counts the groups of rules that Prometheus has read.
func rules(t *testing.T, prometheus string) int {
	t.Helper()
	var answer struct {
		Data struct{ Groups []json.RawMessage }
	}
	fetch(t, "http://"+prometheus+"/api/v1/rules", &answer)
	return len(answer.Data.Groups)
}

// ask returns what a query's one result is, 0 if there is none yet.
func ask(t *testing.T, prometheus, query string) float64 {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	fetch(t, "http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(query), &answer)
	if len(answer.Data.Result) != 1 {
		return 0
	}
	value, err := strconv.ParseFloat(answer.Data.Result[0].Value[1].(string), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// fetch reads JSON, if there is any yet.
func fetch(t *testing.T, from string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // it has not started
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// until waits until ok says so.
func until(t *testing.T, what string, ended <-chan error, said *bytes.Buffer, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(200*time.Millisecond), time.After(maxWait)
	defer tick.Stop()
	for !ok() {
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v, want first %s:\n%s", err, what, said.String())
		case <-end:
			t.Fatalf("%s: not within %v, want it sooner", what, maxWait)
		case <-tick.C:
		}
	}
}
