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
	p.answered(func() (int, string) {
		return p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x","max_tokens":16}`)
	})
}

// answered makes a call that is answered. It makes it again where the store was late, as it may be on a busy machine.
func (p *process) answered(call func() (status int, body string)) {
	p.t.Helper()
	end := time.Now().Add(time.Minute)
	status, body := call()
	for strings.Contains(body, "store_unavailable") && time.Now().Before(end) {
		status, body = call()
	}
	if status != http.StatusOK {
		p.t.Fatalf("got %d %s, want 200", status, body)
	}
}

// status reads /status.
func (p *process) status() *status.Status {
	p.t.Helper()
	code, body := p.get(p.admin + "/status")
	page := new(status.Status)
	if err := json.Unmarshal([]byte(body), page); code != http.StatusOK || err != nil {
		p.t.Fatalf("got %d, %v: %s; want the status", code, err, body)
	}
	return page
}

func (p *process) stop() {
	p.t.Helper()
	p.signal()
	p.ends(exitDone)
}

func TestProcessRemembersWhatWasSpent(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	environ := costly(t, "XDG_STATE_HOME="+state, "NEURONWARD_ESTIMATE=bound")
	p := start(t, environ)
	hint := p.await("NEURONWARD_PLAN is not set")
	contains(t, "the hint on the plan", hint["msg"].(string), "on Workers Paid set it to paid")
	p.spend()
	p.spend()
	before := p.status()
	equal(t, "used after two calls of 2.5 neurons", asJSON(t, before.Used), "5")
	equal(t, "in flight after them", before.InFlight, 0)
	equal(t, "reserved after them", asJSON(t, before.Reserved), "0")
	p.stop()
	log := p.log.String()
	equal(t, "lines on the plan", strings.Count(log, "NEURONWARD_PLAN is not set"), 1)
	last := regexp.MustCompile(`(?s)no call is in flight.*the store is closed.*"used":5.*"msg":"ended"`)
	if !last.MatchString(log) {
		t.Errorf("got the log\n%s\nwant %s in it", log, last)
	}
	if _, err := os.Stat(filepath.Join(state, "neuronward", "neurons-"+hexAccount)); err != nil {
		t.Error(err)
	}

	again := start(t, environ, "serve")
	after := again.status()
	forgetFits(before.Models)
	equal(t, "used after a restart", asJSON(t, after.Used), "5")
	equal(t, "models after a restart", asJSON(t, after.Models), asJSON(t, before.Models))
	equal(t, "the model after a restart", after.Models[0].Name, model)
	equal(t, "its calls", after.Models[0].Calls, 2)
	again.spend()
	got := again.status()
	equal(t, "used after another call", asJSON(t, got.Used), "7.5")
	equal(t, "remaining after another call", asJSON(t, got.Remaining), "9992.5")
	again.stop()
}

func TestProcessRefusesOnceTheLimitIsReached(t *testing.T) {
	t.Parallel()
	p := start(t, costly(t, "NEURONWARD_DAILY_NEURONS=5", "NEURONWARD_STORE=memory:", "NEURONWARD_PLAN=free",
		"NEURONWARD_ESTIMATE=bound"))
	p.spend()
	p.spend()
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x","max_tokens":16}`)
	isAnswer(t, "the call beyond the limit", status, body,
		http.StatusTooManyRequests, `"name":"account_limited"`, `"origin":"guard"`)
	page := p.status()
	if len(page.Failures) != 1 {
		t.Fatalf("got the failures %+v, want 1", page.Failures)
	}
	equal(t, "the failure's name", page.Failures[0].Name, "account_limited")
	equal(t, "the failure's origin", page.Failures[0].Origin, "guard")
	_, series := p.get(p.admin + "/metrics")
	for _, want := range []string{
		`neuronward_preempted_total{client="anonymous",mode="enforce",reason="account_quota"} 1`,
		"neuronward_neurons_used 5", "neuronward_neurons_remaining 0",
		`neuronward_neurons_total{basis="reported",client="anonymous",model="` + model + `"} 5`,
		`neuronward_tokens_total{kind="output",model="` + model + `"} 10`,
		`neuronward_estimate_ratio_count{task="text-generation"} 2`,
	} {
		if !strings.Contains(series, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	lacks(t, "the log where the plan is set", p.log.String(), "NEURONWARD_PLAN is not set")
	p.stop()
}

func TestProcessWhereNothingIsCounted(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	p := start(t, costly(t, "NEURONWARD_QUOTA_MODE=off", "XDG_STATE_HOME="+state))
	p.spend()
	if page := p.status(); page.Mode != config.ModeOff || page.Used != nil {
		t.Errorf("got the status %s, want the mode off and no usage", asJSON(t, page.Today))
	}
	_, series := p.get(p.admin + "/metrics")
	lacks(t, "the series", series, "neuronward_neurons_used")
	p.stop()
	if entries, err := os.ReadDir(state); err != nil || len(entries) > 0 {
		t.Errorf("got the files %v, %v; want none", entries, err)
	}
}

func TestProcessWhoseStoreIsGone(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	p := start(t,
		costly(t, "NEURONWARD_STORE=file:"+state+"/neurons", "NEURONWARD_DAILY_NEURONS=20000", "NEURONWARD_PLAN=paid"))
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`)
	isAnswer(t, "a call without the store", status, body, http.StatusServiceUnavailable, `"name":"store_unavailable"`)
	failed := p.await("the store fails")
	if text, _ := failed["error"].(string); !strings.Contains(text, "cannot be written") || failed["policy"] != "deny" {
		t.Errorf("got the line %v, want that it cannot be written, and deny", failed)
	}
	_, series := p.get(p.admin + "/metrics")
	lacks(t, "the series", series, `neuronward_store_failures_total{policy="deny"} 0`)
	status, body = p.get(p.admin + "/readyz")
	isAnswer(t, "readyz without the store", status, body, http.StatusServiceUnavailable, "cannot be written")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	p.await("the store works again")
	p.spend()
	status, body = p.get(p.admin + "/readyz")
	isAnswer(t, "readyz once the store is back", status, body, http.StatusOK)
	p.stop()
	// A busy machine may make the store late once more.
	log := p.log.String()
	equal(t, "lines that the store fails", strings.Count(log, `"msg":"the store fails"`),
		strings.Count(log, `"msg":"the store works again"`))
}

func TestUsageOfAProcess(t *testing.T) {
	t.Parallel()
	p := start(t, costly(t, "NEURONWARD_ESTIMATE=bound"))
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
	equal(t, "exit", code, exitDone)
	for _, want := range []string{
		"free plan, enforced\n", "  used              2.50  0.0 %\n", "  left           9997.50  of 10000.00\n",
		"  " + model + "         2.50      1\n", " yesterday ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("got\n%s\nwant %q in it", said, want)
		}
	}
	code, said = ask("--json")
	var r usageReport
	equal(t, "exit with --json", code, exitDone)
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		t.Fatalf("got %v, want JSON:\n%s", err, said)
	}
	equal(t, "used today", asJSON(t, r.Today.Used), "2.5")
	equal(t, "days", len(r.Days), status.DefaultDays)
	equal(t, "neurons of the last day", asJSON(t, r.Days[0].Neurons), "2.5")
	code, said = ask("--addr", strings.TrimPrefix(p.app, "http://"))
	equal(t, "exit of the app listener", code, exitFailed)
	contains(t, "the app listener", said, "404 Not Found; is it the admin listener of neuronward?")
	p.stop()
	code, said = ask()
	equal(t, "exit after the end", code, exitFailed)
	contains(t, "after the end", said, "no proxy answers")
}

// forgetFits leaves out what each process knows of its own calls alone.
func forgetFits(models []status.Model) {
	for i := range models {
		models[i].FitsNow = nil
	}
}
