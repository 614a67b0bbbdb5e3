package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

const model = "@cf/meta/llama-3.1-8b-instruct-fp8"

// costly is an upstream whose calls cost 2.5 neurons each.
func costly(t *testing.T, more ...string) []string {
	t.Helper()
	return costlyAfter(t, 0, more...)
}

// costlyAfter is costly with calls that take a time.
func costlyAfter(t *testing.T, latency time.Duration, more ...string) []string {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(
			w,
			`{"result":{"response":"x","usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,`+
				`"neurons":2.5}},"success":true,"errors":[],"messages":[]}`,
		)
	}))
	t.Cleanup(upstream.Close)
	return append(
		[]string{
			"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
			"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
		},
		more...,
	)
}

func (p *process) spend() {
	p.t.Helper()
	if status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x","max_tokens":16}`); status != http.StatusOK {
		p.t.Fatalf("%d %s", status, body)
	}
}

// status reads /status.
func (p *process) status() *status.Status {
	p.t.Helper()
	code, body := p.get(p.admin + "/status")
	page := new(status.Status)
	if err := json.Unmarshal([]byte(body), page); code != http.StatusOK || err != nil {
		p.t.Fatalf("%d, %v: %s", code, err, body)
	}
	return page
}

func (p *process) stop() {
	p.t.Helper()
	p.signal()
	if code := p.exit(); code != exitDone {
		p.t.Errorf("exit %d", code)
	}
}

func TestProcessRemembersWhatWasSpent(t *testing.T) {
	state := t.TempDir()
	environ := costly(t, "XDG_STATE_HOME="+state)
	p := start(t, environ)
	hint := p.await("NEURONWARD_PLAN is not set")
	if msg := hint["msg"].(string); !strings.Contains(msg, "on Workers Paid set it to paid") {
		t.Errorf("the word on the plan is %q", msg)
	}
	p.spend()
	p.spend()
	before := p.status()
	if got := asJSON(t, before.Used); got != "5" || before.InFlight != 0 || asJSON(t, before.Reserved) != "0" {
		t.Errorf("after two calls of 2.5 neurons: %s", asJSON(t, before.Today))
	}
	p.stop()
	if log := p.log.String(); strings.Count(log, "NEURONWARD_PLAN is not set") != 1 || !regexp.MustCompile(`(?s)no call is in flight.*the store is closed.*"used":5.*"msg":"ended"`).MatchString(log) {
		t.Error("the log lacks a word, or tells the plan twice")
	}
	if _, err := os.Stat(filepath.Join(state, "neuronward", "neurons-"+hexAccount)); err != nil {
		t.Error(err)
	}

	again := start(t, environ, "serve")
	after := again.status()
	if asJSON(t, after.Used) != "5" || asJSON(t, after.Models) != asJSON(t, before.Models) || after.Models[0].Name != model || after.Models[0].Calls != 2 {
		t.Errorf("after a restart: %s\nbefore: %s", asJSON(t, after.Today), asJSON(t, before.Today))
	}
	again.spend()
	if got := again.status(); asJSON(t, got.Used) != "7.5" || asJSON(t, got.Remaining) != "9992.5" {
		t.Errorf("after another call: %s", asJSON(t, got.Today))
	}
	again.stop()
}

func TestProcessRefusesOnceTheCeilingIsReached(t *testing.T) {
	p := start(t, costly(t, "NEURONWARD_DAILY_NEURONS=5", "NEURONWARD_STORE=memory:", "NEURONWARD_PLAN=free"))
	p.spend()
	p.spend()
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x","max_tokens":16}`)
	if status != http.StatusTooManyRequests || !strings.Contains(body, `"name":"account_limited"`) || !strings.Contains(body, `"origin":"guard"`) {
		t.Errorf("the call beyond the ceiling: %d %s", status, body)
	}
	page := p.status()
	if len(page.Failures) != 1 || page.Failures[0].Name != "account_limited" || page.Failures[0].Origin != "guard" {
		t.Errorf("the failures are %+v", page.Failures)
	}
	_, series := p.get(p.admin + "/metrics")
	for _, want := range []string{
		`neuronward_preempted_total{mode="enforce",reason="account_quota"} 1`, "neuronward_neurons_used 5",
		"neuronward_neurons_remaining 0",
		`neuronward_neurons_total{basis="reported",client="anonymous",model="` + model + `"} 5`,
		`neuronward_tokens_total{kind="output",model="` + model + `"} 10`,
		`neuronward_estimate_ratio_count{task="text-generation"} 2`,
	} {
		if !strings.Contains(series, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(p.log.String(), "NEURONWARD_PLAN is not set") {
		t.Error("the plan was set, and yet start speaks of it")
	}
	p.stop()
}

func TestProcessWhereNothingIsCounted(t *testing.T) {
	state := t.TempDir()
	p := start(t, costly(t, "NEURONWARD_QUOTA_MODE=off", "XDG_STATE_HOME="+state))
	p.spend()
	if page := p.status(); page.Mode != config.ModeOff || page.Used != nil {
		t.Errorf("the status is %s", asJSON(t, page.Today))
	}
	if _, series := p.get(p.admin + "/metrics"); strings.Contains(series, "neuronward_neurons_used") {
		t.Error("there is a series of what was spent")
	}
	p.stop()
	if entries, err := os.ReadDir(state); err != nil || len(entries) > 0 {
		t.Errorf("something was kept: %v, %v", entries, err)
	}
}

func TestProcessWhoseStoreIsGone(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	p := start(t,
		costly(t, "NEURONWARD_STORE=file:"+state+"/neurons", "NEURONWARD_DAILY_NEURONS=20000", "NEURONWARD_PLAN=paid"))
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"name":"store_unavailable"`) {
		t.Errorf("a call without the store: %d %s", status, body)
	}
	failed := p.await("the store fails")
	if text, _ := failed["error"].(string); !strings.Contains(text, "cannot be written") || failed["policy"] != "deny" {
		t.Errorf("logged: %v", failed)
	}
	if _, series := p.get(p.admin + "/metrics"); strings.Contains(series, `neuronward_store_failures_total{policy="deny"} 0`) {
		t.Error("the failure was not counted")
	}
	if status, body := p.get(p.admin + "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be written") {
		t.Errorf("readyz without the store: %d %s", status, body)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	p.await("the store works again")
	p.spend()
	if status, body := p.get(p.admin + "/readyz"); status != http.StatusOK {
		t.Errorf("readyz once the store is back: %d %s", status, body)
	}
	p.stop()
	if got := strings.Count(p.log.String(), `"msg":"the store fails"`); got != 1 {
		t.Errorf("it began to fail %d times", got)
	}
}

func TestUsageOfAProcess(t *testing.T) {
	p := start(t, costly(t))
	p.spend()
	ask := func(args ...string) (code int, said string) {
		var out bytes.Buffer
		code = run(
			t.Context(), append([]string{"usage"}, args...),
			[]string{"NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(p.admin, "http://")}, strings.NewReader(""), &out,
			&out,
		)
		return code, out.String()
	}
	code, said := ask()
	for _, want := range []string{"free plan, enforced\n", "  used              2.50  0.0 %\n", "  left           9997.50  of 10000.00\n", "  " + model + "         2.50      1\n", " yesterday "} {
		if code != exitDone || !strings.Contains(said, want) {
			t.Errorf("exit %d, %q is not in\n%s", code, want, said)
		}
	}
	code, said = ask("--json")
	var r usageReport
	if err := json.Unmarshal([]byte(said), &r); code != exitDone || err != nil || asJSON(t, r.Today.Used) != "2.5" || len(r.Days) != status.DefaultDays || asJSON(t, r.Days[0].Neurons) != "2.5" {
		t.Errorf("exit %d, %v:\n%s", code, err, said)
	}
	if code, said = ask("--addr", strings.TrimPrefix(p.app, "http://")); code != exitFailed || !strings.Contains(said, "404 Not Found; is it the admin listener of neuronward?") {
		t.Errorf("the app listener: exit %d, %s", code, said)
	}
	p.stop()
	if code, said = ask(); code != exitFailed || !strings.Contains(said, "no proxy answers") {
		t.Errorf("after the end: exit %d, %s", code, said)
	}
}
