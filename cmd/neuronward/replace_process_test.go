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
	path := filepath.Join(t.TempDir(), "neurons")
	environ := costly(t, "NEURONWARD_STORE=file:"+path, "NEURONWARD_DRAIN=1h")
	first := start(t, environ)
	first.spend()
	pid := strconv.Itoa(first.cmd.Process.Pid)

	next := launch(t, environ)
	said := next.waiting()
	if said["process"] != pid || said["store"] != "file:"+path || said["patience"] != "1h0m6s" {
		t.Errorf("it says that it waits: %v", said)
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
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body.String(), `"name":"shutting_down"`) ||
		!strings.Contains(body.String(), "takes no calls yet") || resp.Header.Get("Retry-After") != "1" || !resp.Close {
		t.Errorf("a call: %d %v %s, %v", resp.StatusCode, resp.Header, body.String(), err)
	}
	if _, series := next.get(next.admin + "/metrics"); !strings.Contains(series, `name="shutting_down",origin="guard"} 1`+"\n") {
		t.Error("the refused call is not in /metrics")
	}
	var out bytes.Buffer
	asked := []string{"NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(next.admin, "http://")}
	if code := run(t.Context(), []string{"usage"}, asked, strings.NewReader(""), &out, &out); code != exitFailed || !strings.Contains(out.String(), "the proxy cannot tell: starting") {
		t.Errorf("usage: exit %d, %s", code, out.String())
	}
	if code := run(t.Context(), []string{"healthcheck"}, asked, strings.NewReader(""), &out, &out); code != exitFailed {
		t.Errorf("healthcheck: exit %d, %s", code, out.String())
	}

	first.stop()
	app, admin := next.app, next.admin
	next.listening()
	if next.app != app || next.admin != admin {
		t.Errorf("it moved from %s and %s to %s and %s", app, admin, next.app, next.admin)
	}
	if status, body := next.get(next.admin + "/readyz"); status != http.StatusOK {
		t.Errorf("readyz afterwards: %d %s", status, body)
	}
	if page := next.status(); asJSON(t, page.Used) != "2.5" {
		t.Errorf("the one that waited knows of %s", asJSON(t, page.Today))
	}
	next.spend()
	next.stop()
}

func TestAProcessIsToldToEndWhileItWaits(t *testing.T) {
	environ := costly(t, "XDG_STATE_HOME="+t.TempDir(), "NEURONWARD_DRAIN=1h")
	first := start(t, environ)
	next := launch(t, environ)
	next.waiting()
	next.signal()
	end := next.await("ended while it waited")
	if code := next.exit(); code != exitDone || !strings.Contains(end["reason"].(string), "terminated") {
		t.Errorf("exit %d, %v", code, end)
	}
	first.spend()
	first.stop()
}

// On one host the new process has the addresses of the one that it replaces, too.
func TestAProcessWaitsForTheAddressesOfAnother(t *testing.T) {
	for name, more := range map[string][]string{"with an admin listener": nil, "without an admin listener": {"NEURONWARD_ADMIN_LISTEN="}} {
		t.Run(name, func(t *testing.T) {
			environ, release := slowUpstream(t)
			environ = append(environ, "XDG_STATE_HOME="+t.TempDir(), "NEURONWARD_DRAIN=1h")
			first := start(t, append(environ, more...))
			same := append(environ, "NEURONWARD_LISTEN="+strings.TrimPrefix(first.app, "http://"),
				"NEURONWARD_ADMIN_LISTEN="+strings.TrimPrefix(first.admin, "http://"))
			stream := first.open()

			// One that is not ending is in the way.
			early := launch(t, same)
			if code := early.exit(); code != exitFailed || !strings.Contains(early.log.String(), "address already in use); stop what listens there") {
				t.Errorf("beside one that is not ending: exit %d, %s", code, early.log.String())
			}

			first.signal()
			first.await("draining")
			told := launch(t, same)
			told.await("waiting for the addresses")
			told.signal()
			told.await("ended while it waited")
			if code := told.exit(); code != exitDone {
				t.Errorf("one that was told to end while it waited: exit %d", code)
			}
			next := launch(t, same)
			if said := next.await("waiting for the addresses"); said["patience"] != "1h0m6s" || "http://"+said["listen"].(string) != first.app {
				t.Errorf("it says that it waits: %v", said)
			}
			close(release)
			if _, err := stream.WriteTo(new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
			if code := first.exit(); code != exitDone {
				t.Errorf("the first: exit %d", code)
			}
			next.listening()
			if next.app != first.app || next.admin != first.admin {
				t.Errorf("it listens on %s and %s, not on %s and %s", next.app, next.admin, first.app, first.admin)
			}
			next.stop()
		})
	}
}
