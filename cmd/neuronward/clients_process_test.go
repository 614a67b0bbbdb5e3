package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/proxy/clients"
)

// reloads is how often the clients file changes under load:
//
//	go test ./cmd/neuronward -run TestProcessReloads -reloads 200
var reloads = flag.Int("reloads", 32, "changes of the clients file under load, half of them mistakes")

// keyOf is the key of a client in tests.
func keyOf(client string) string { return clients.KeyPrefix + "fake-key-of-" + client }

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// clientsText is a clients file. Each entry is a name and, behind a comma, what else it says.
func clientsText(entries ...string) string {
	var text strings.Builder
	text.WriteString("clients:\n")
	for _, e := range entries {
		name, rest, _ := strings.Cut(e, ",")
		fmt.Fprintf(&text, "  - {name: %s, key_sha256: %s, %s}\n", name, hashOf(keyOf(name)), strings.TrimSpace(rest))
	}
	return text.String()
}

// replace puts text in path's place at once, as editors and configuration management do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// team is costlyAfter with a clients file, and the path of that file.
func team(t *testing.T, latency time.Duration, text string, more ...string) (environ []string, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "clients.yaml")
	replace(t, path, text)
	return costlyAfter(
		t, latency,
		append(
			[]string{
				"NEURONWARD_CLIENTS_FILE=" + path, "NEURONWARD_STORE=memory:", "NEURONWARD_PLAN=paid",
				"NEURONWARD_RATE_LIMITS=off",
			},
			more...,
		)...,
	), path
}

func (p *process) hangUp() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

// callAs makes a call of 2.5 neurons as a client and returns status and body.
func (p *process) callAs(c *http.Client, client string) (int, string) {
	r, err := http.NewRequest(http.MethodPost, p.app+"/run/"+model, strings.NewReader(`{"prompt":"x","max_tokens":16}`))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+keyOf(client))
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// until asks again and again, and returns how long it took until the answer was yes.
func (p *process) until(what string, yes func() bool) time.Duration {
	p.t.Helper()
	began := time.Now()
	for !yes() {
		if time.Since(began) > 2*time.Minute {
			p.t.Fatalf("got nothing for 2 minutes, want: %s", what)
		}
		pause()
	}
	return time.Since(began)
}

// Files that are good and files that are not come one after the other while calls are made: no call fails for it, a key
// that was removed stops, and the usage of a budget remains.
func TestProcessReloadsClientsUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		callers = 32
		teams   = 8
	)
	base := func(limit int) []string {
		var entries []string
		for i := range teams {
			entries = append(entries, fmt.Sprintf("team-%d, daily_neurons: %d, requests_per_minute: 900000", i, limit))
		}
		return entries
	}
	// the callers leave the machine time to reload
	environ, path := team(t, 40*time.Millisecond, clientsText(base(1_000_000)...), "NEURONWARD_ESTIMATE=bound")
	p := start(t, environ)
	caller := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers + 1}}
	t.Cleanup(caller.CloseIdleConnections)

	var made [teams]atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, body := p.callAs(caller, fmt.Sprintf("team-%d", i%teams)); status != http.StatusOK {
					t.Errorf("a call during the reloads: got %d %s, want 200", status, body)
					return
				}
				made[i%teams].Add(1)
			}
		})
	}
	broken := []string{
		"clients: 1\n", "", "clients:\n  - {name: team-0}\n", clientsText("team-0", "team-0"),
		clientsText("team-0, daily_neurons: -1"), clientsText("a")[:40], "\x00", clientsText("team-0, nonsense: 1"),
	}
	guest, fastest := "", time.Hour
	last := 0 // good file
	for i := range *reloads {
		if i%2 == 1 {
			replace(t, path, broken[i/2%len(broken)])
			p.hangUp()
			p.until("the gauge shows that a file was refused", func() bool {
				_, series := p.get(p.admin + "/metrics")
				return strings.Contains(series, "\nneuronward_clients_reload_success 0\n")
			})
			if status, body := p.callAs(caller, guest); status != http.StatusOK {
				t.Errorf("a client of the last good file: got %d %s, want 200", status, body)
			}
			continue
		}
		before := guest
		last = i
		guest = fmt.Sprintf("guest-%d", i)
		replace(t, path, clientsText(append(base(1_000_000+i), guest)...))
		changed := time.Now()
		p.hangUp()
		p.until("a new key opens the door", func() bool {
			status, _ := p.callAs(caller, guest)
			return status == http.StatusOK
		})
		if before == "" {
			continue
		}
		p.until("a removed key stops", func() bool {
			status, _ := p.callAs(caller, before)
			return status == http.StatusUnauthorized
		})
		fastest = min(fastest, time.Since(changed))
	}
	close(stop)
	wg.Wait()
	var page *status.Status
	p.until("all calls are settled", func() bool {
		page = p.status()
		return page.InFlight == 0
	})
	all := int64(0)
	for i := range teams {
		calls := made[i].Load()
		all += calls
		found := false
		for _, c := range page.Clients {
			if c.Name != fmt.Sprintf("team-%d", i) {
				continue
			}
			found = true
			spent := 2.5 * float64(calls)
			equal(t, c.Name+": calls", c.Calls, calls)
			equal(t, c.Name+": neurons", asJSON(t, c.Neurons), fmt.Sprint(spent))
			equal(t, c.Name+": remaining", asJSON(t, c.Remaining), fmt.Sprint(1_000_000+float64(last)-spent))
		}
		if !found || calls == 0 {
			t.Errorf("team-%d: got %d calls, in the status: %t; want calls, and true", i, calls, found)
		}
	}
	t.Logf("%d reloads beside %d calls; a removed key stopped within %v of a SIGHUP at best", *reloads, all, fastest)
	p.stop()
}

// Kubernetes mounts a Secret as links above a directory that it replaces.
func TestProcessFollowsAMountedSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(version int, text string) {
		t.Helper()
		name := fmt.Sprintf("..version_%d", version)
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, filepath.Join(dir, name, "clients.yaml"), text)
		if err := os.Symlink(name, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if version > 0 {
			if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..version_%d", version-1))); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap(0, clientsText("a", "guest-0"))
	path := filepath.Join(dir, "clients.yaml")
	if err := os.Symlink(filepath.Join("..data", "clients.yaml"), path); err != nil {
		t.Fatal(err)
	}
	environ, _ := team(t, 0, clientsText("a"))
	p := start(t, append(environ, "NEURONWARD_CLIENTS_FILE="+path))
	fastest := time.Hour
	for version := 1; version <= 3; version++ {
		if status, body := p.callAs(http.DefaultClient, fmt.Sprintf("guest-%d", version-1)); status != http.StatusOK {
			t.Fatalf("a guest before its removal: got %d %s, want 200", status, body)
		}
		swap(version, clientsText("a", fmt.Sprintf("guest-%d", version)))
		fastest = min(fastest, p.until("a removed key stops", func() bool {
			status, _ := p.callAs(http.DefaultClient, fmt.Sprintf("guest-%d", version-1))
			return status == http.StatusUnauthorized
		}))
		if status, body := p.callAs(http.DefaultClient, "a"); status != http.StatusOK {
			t.Errorf("a client that stays: got %d %s, want 200", status, body)
		}
	}
	t.Logf("a removed key stopped within %v at best", fastest)
	p.stop()
}

// What an entry says takes effect while the proxy runs, and shows wherever clients show.
func TestProcessAppliesChangedEntries(t *testing.T) {
	t.Parallel()
	environ, path := team(t, 0, clientsText("a, daily_neurons: 5", "b"), "NEURONWARD_RATE_WAIT=0s",
		"NEURONWARD_ESTIMATE=bound")
	p := start(t, environ)
	put := func(entry string) {
		t.Helper()
		replace(t, path, clientsText(entry, "b"))
		p.hangUp()
		p.await("the clients file is in use as it is now")
	}
	want := func(result string) {
		t.Helper()
		status, body := p.callAs(http.DefaultClient, "a")
		if result == "ok" {
			equal(t, "status, "+body, status, http.StatusOK)
			return
		}
		equal(t, "status, "+body, status, http.StatusTooManyRequests)
		contains(t, "body", body, `"name":"`+result+`"`)
	}
	want("ok")
	want("ok")
	want("client_budget_exhausted")
	put("a, daily_neurons: 7.5")
	want("ok")
	want("client_budget_exhausted")
	put("a, daily_neurons: 5") // below the usage so far
	want("client_budget_exhausted")
	put("a")
	want("ok")
	put("a, requests_per_minute: 5")
	want("ok")
	want("rate_limited")
	put("a, requests_per_minute: 6000")
	want("ok")
	want("ok")
	put(`a, models: ["@cf/baai/*"]`)
	status, body := p.callAs(http.DefaultClient, "a")
	equal(t, "a model that is not on the list any more", status, http.StatusForbidden)
	contains(t, "a model that is not on the list any more", body, `"name":"client_forbidden"`)
	put("a, daily_neurons: 100")
	want("ok")
	if status, body := p.callAs(http.DefaultClient, "b"); status != http.StatusOK {
		t.Errorf("b: got %d %s, want 200", status, body)
	}
	p.until("all calls are settled", func() bool { return p.status().InFlight == 0 })

	// 8 calls of a, one of b.
	_, series := p.get(p.admin + "/metrics")
	for _, line := range []string{
		`neuronward_client_neurons_used{client="a"} 20`, `neuronward_client_neurons_limit{client="a"} 100`,
		`neuronward_neurons_total{basis="reported",client="a",model="` + model + `"} 20`,
		`neuronward_neurons_total{basis="reported",client="b",model="` + model + `"} 2.5`,
		`neuronward_requests_total{client="a",model="` + model + `",result="client_budget_exhausted",route="run/` +
			`{model}"} 3`,
		`neuronward_preempted_total{client="a",mode="enforce",reason="client_budget"} 3`,
		`neuronward_preempted_total{client="a",mode="enforce",reason="rate"} 1`,
	} {
		contains(t, "series", series, line+"\n")
	}
	var out bytes.Buffer
	code := run(
		t.Context(), []string{"usage"}, []string{"NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(p.admin, "http://")},
		strings.NewReader(""), &out, &out,
	)
	for _, line := range []string{"\n  a ", " 20.00      8", "\n  b ", " 2.50      1"} {
		equal(t, "exit", code, exitDone)
		contains(t, "usage", out.String(), line)
	}
	p.stop()
}
