package main

import (
	"net/http"
	"strings"
	"testing"
)

// A load balancer asks the app listener without a key. It is no call: nothing is counted, logged or shown of it.
func TestProcessHealthForApps(t *testing.T) {
	t.Parallel()
	environ, _ := team(t, 0, clientsText("team"), "NEURONWARD_MAX_IN_FLIGHT=1")
	p := start(t, environ)
	for _, path := range []string{"/livez", "/readyz"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			status, _ := p.do(method, p.app+path, "")
			equal(t, method+" "+path, status, http.StatusOK)
		}
	}
	status := p.status()
	equal(t, "failures in the status", len(status.Failures)+len(status.Refusals), 0)
	_, series := p.get(p.admin + "/metrics")
	lacks(t, "the series", series, "neuronward_requests_total{")
	contains(t, "the series", series, `name="client_unauthorized",origin="guard"} 0`+"\n")

	// Other methods are calls, and those need a key.
	code, body := p.do(http.MethodPost, p.app+"/livez", "")
	isAnswer(t, "POST without a key", code, body, http.StatusUnauthorized, `"client_unauthorized"`)
	r, err := http.NewRequest(http.MethodPost, p.app+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+keyOf("team"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	equal(t, "POST with a key: status", resp.StatusCode, http.StatusMethodNotAllowed)
	equal(t, "POST with a key: Allow", resp.Header.Get("Allow"), "GET, HEAD")
	p.stop()
	equal(t, "lines of the log about calls", strings.Count(p.log.String(), `"path":`), 2)
}

// Without a clients file a listener on loopback answers to no name but its own, its health included.
func TestProcessHealthIsNotForOtherHosts(t *testing.T) {
	t.Parallel()
	p := start(t, costly(t))
	for host, want := range map[string]int{
		"evil.example": http.StatusForbidden, "localhost:3036": http.StatusOK, "127.0.0.1": http.StatusOK,
	} {
		r, err := http.NewRequest(http.MethodGet, p.app+"/livez", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		equal(t, host, resp.StatusCode, want)
	}
	p.stop()
}
