package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
)

// No key of a client is in anything that leaves the process: not when upstream echoes it, not when the clients file
// holds it by mistake, not in what is left behind when the process is killed for a look at its goroutines.
func TestProcessNeverShowsAKey(t *testing.T) {
	t.Parallel()
	key := keyOf("a")
	arrived := make(chan struct{}, 16)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.Contains(fmt.Sprint(r.Header, r.URL), key) {
			t.Errorf("got the header %v and URL %s upstream, want no key in them", r.Header, r.URL)
		}
		if r.URL.Query().Has("hang") {
			arrived <- struct{}{}
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w,
			`{"errors":[{"message":"AiError: bad %s","code":5006}],"success":false,"result":{},"messages":[]}`, key)
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(upstream.CloseClientConnections)
	path := filepath.Join(t.TempDir(), "clients.yaml")
	replace(t, path, clientsText("a"))
	environ := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
		"NEURONWARD_CLIENTS_FILE=" + path, "NEURONWARD_LOG_LEVEL=debug", "NEURONWARD_PPROF=true", "GOTRACEBACK=all",
		"NEURONWARD_MODELS=*", // a key in the place of the model goes to upstream, which may echo it
	}
	p := start(t, environ)
	var seen strings.Builder
	for _, name := range []string{"Authorization", "X-Api-Key", "Cf-Aig-Authorization", "X-Auth-Key"} {
		for _, body := range []string{
			`{"model":"` + key + `","messages":[]}`, `{"model":"` + model + `","messages":[]}`, `{"model":`,
		} {
			r, err := http.NewRequest(http.MethodPost, p.app+"/v1/chat/completions", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(name, "Bearer "+key)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: got %d %s, want 400 or 401", name, resp.StatusCode, answer)
			}
			fmt.Fprintln(&seen, resp.Header, string(answer))
		}
	}
	for _, text := range []string{
		"clients:\n  - {name: a, key_sha256: " + key + "}\n", "clients:\n  - {name: a, key: " + key + "}\n",
		"clients:\n  - {name: " + key + ", key_sha256: " + hashOf(key) + "}\n",
		"clients:\n  - {" + key + ": a}\n", key + "\n",
		"clients:\n  - {name: a, key_sha256: " + hashOf(key) + ", models: [\"" + key + "\"], priority: " + key +
			", daily_neurons: " + key + "}\n",
		clientsText("a"),
	} {
		replace(t, path, text)
		p.hangUp()
		p.await("the clients file is")
		var out bytes.Buffer
		run(t.Context(), []string{"check", "--offline"}, environ, strings.NewReader(""), &out, &out)
		fmt.Fprintln(&seen, out.String())
	}
	go func() { // in flight while all is looked at
		r, err := http.NewRequest(http.MethodPost, p.app+"/run/"+model+"?hang", strings.NewReader(`{"prompt":"x"}`))
		if err == nil {
			r.Header.Set("X-Api-Key", key)
			_, err = http.DefaultClient.Do(r)
		}
		_ = err
	}()
	<-arrived
	for _, path := range []string{
		"/", "/metrics", "/status", "/status/history", "/readyz", "/debug/pprof/cmdline",
		"/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine?debug=1",
		"/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/heap", "/debug/pprof/mutex?debug=1",
	} {
		status, body := p.get(p.admin + path)
		equal(t, path, status, http.StatusOK)
		seen.WriteString(body)
	}
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	p.exit()
	contains(t, "stacks after SIGQUIT", p.log.String(), "goroutine 1 ")
	contains(t, "stacks after SIGQUIT", p.log.String(), "ServeHTTP")
	seen.WriteString(p.log.String() + p.out.String())
	secret := strings.TrimPrefix(key, clients.KeyPrefix)
	if i := strings.Index(seen.String(), secret); i >= 0 {
		t.Errorf("got the key after …%s, want it nowhere", seen.String()[max(0, i-300):i])
	}
}
