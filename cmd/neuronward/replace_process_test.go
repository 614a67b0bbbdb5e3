package main

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// One process takes over from another: what its operator, a load balancer and callers see meanwhile.

// waiting waits until p waits for the store of another process; it answers at p.app and p.admin then.
func (p *process) waiting() map[string]any {
	p.t.Helper()
	at := p.await("waiting for the store")
	p.app, p.admin = "http://"+at["listen"].(string), "http://"+at["admin_listen"].(string)
	return at
}

func TestAProcessWaitsForTheStoreOfAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "neurons")
	environ := costly(t, "NEURONWARD_STORE=file:"+path, "NEURONWARD_DRAIN=1h")
	first := start(t, environ)
	first.spend()
	pid := strconv.Itoa(first.cmd.Process.Pid)

	next := launch(t, environ)
	said := next.waiting()
	for key, want := range map[string]any{"process": pid, "store": "file:" + path, "max_wait": "1h0m6s"} {
		equal(t, "the line that it waits: "+key, said[key], want)
	}
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"/livez": {http.StatusOK, "ok"},
		"/readyz": {
			http.StatusServiceUnavailable,
			"waiting for another process (" + pid + ") to let the store go, file:" + path,
		},
		"/status":         {http.StatusServiceUnavailable, "waiting for another process"},
		"/status/history": {http.StatusServiceUnavailable, "waiting for another process"},
		"/metrics":        {http.StatusOK, "neuronward_build_info"},
	} {
		if status, body := next.get(next.admin + path); status != want.status || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %s; want %d with %q", path, status, body, want.status, want.says)
		}
	}
	resp, err := http.Post(next.app+"/run/"+model, "application/json", strings.NewReader(`{"prompt":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Errorf("a call: got %v, want a whole answer", err)
	}
	isAnswer(t, "a call", resp.StatusCode, body.String(),
		http.StatusServiceUnavailable, `"name":"shutting_down"`, "takes no calls yet")
	equal(t, "a call: Retry-After", resp.Header.Get("Retry-After"), "1")
	equal(t, "a call: the connection is closed", resp.Close, true)
	status, answer := next.get(next.app + "/readyz")
	isAnswer(t, "readyz for apps", status, answer,
		http.StatusServiceUnavailable, `"name":"shutting_down"`, "takes no calls yet")
	status, answer = next.get(next.app + "/livez")
	isAnswer(t, "livez for apps", status, answer, http.StatusOK)
	_, series := next.get(next.admin + "/metrics")
	contains(t, "the series", series, `name="shutting_down",origin="guard"} 1`+"\n")
	var out bytes.Buffer
	asked := []string{"NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(next.admin, "http://")}
	code := run(t.Context(), []string{"usage"}, asked, strings.NewReader(""), &out, &out)
	equal(t, "usage: exit", code, exitFailed)
	contains(t, "usage", out.String(), "the proxy cannot say: starting")
	code = run(t.Context(), []string{"healthcheck"}, asked, strings.NewReader(""), &out, &out)
	equal(t, "healthcheck: exit", code, exitFailed)

	first.stop()
	app, admin := next.app, next.admin
	next.listening()
	equal(t, "the app listener afterwards", next.app, app)
	equal(t, "the admin listener afterwards", next.admin, admin)
	status, answer = next.get(next.admin + "/readyz")
	isAnswer(t, "readyz afterwards", status, answer, http.StatusOK)
	equal(t, "used, by the one that waited", asJSON(t, next.status().Used), "2.5")
	next.spend()
	next.stop()
}

func TestAProcessIsToldToEndWhileItWaits(t *testing.T) {
	t.Parallel()
	environ := costly(t, "XDG_STATE_HOME="+t.TempDir(), "NEURONWARD_DRAIN=1h")
	first := start(t, environ)
	next := launch(t, environ)
	next.waiting()
	next.signal()
	end := next.await("ended while it waited")
	next.ends(exitDone)
	contains(t, "the reason in the log", end["reason"].(string), "terminated")
	first.spend()
	first.stop()
}

// On one host the new process has the addresses of the one that it replaces, too.
func TestAProcessWaitsForTheAddressesOfAnother(t *testing.T) {
	for name, more := range map[string][]string{
		"with an admin listener": nil, "without an admin listener": {"NEURONWARD_ADMIN_LISTEN="},
	} {
		t.Run(name, func(t *testing.T) {
			environ, release := slowUpstream(t)
			environ = append(environ, "XDG_STATE_HOME="+t.TempDir(), "NEURONWARD_DRAIN=1h")
			first := start(t, append(environ, more...))
			same := append(environ, "NEURONWARD_LISTEN="+strings.TrimPrefix(first.app, "http://"),
				"NEURONWARD_ADMIN_LISTEN="+strings.TrimPrefix(first.admin, "http://"))
			stream := first.open()

			// One that is not ending is in the way.
			early := launch(t, same)
			early.ends(exitFailed)
			contains(t, "beside one that is not ending",
				early.log.String(), "address already in use); stop what listens there")

			first.signal()
			first.await("draining")
			signaled := launch(t, same)
			signaled.await("waiting for the addresses")
			signaled.signal()
			signaled.await("ended while it waited")
			signaled.ends(exitDone)
			next := launch(t, same)
			said := next.await("waiting for the addresses")
			equal(t, "the line that it waits: max_wait", said["max_wait"], any("1h0m6s"))
			equal(t, "the line that it waits: listen", "http://"+said["listen"].(string), first.app)
			close(release)
			if _, err := stream.WriteTo(new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
			first.ends(exitDone)
			next.listening()
			equal(t, "the app listener", next.app, first.app)
			equal(t, "the admin listener", next.admin, first.admin)
			next.stop()
		})
	}
}
