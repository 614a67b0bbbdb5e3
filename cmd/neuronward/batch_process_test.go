package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// A batch in flight is known to the process that starts after the one that took it, and to those that share its store:
// whose it is, and what it was charged, which is corrected once.
func TestABatchIsKnownToOtherProcesses(t *testing.T) {
	t.Parallel()
	const submitted = `{"requests":[{"prompt":"a","max_tokens":100},{"prompt":"b","max_tokens":100}]}`
	inFlight := func(status string) *reply {
		return &reply{
			status: http.StatusOK, contentType: "application/json",
			body: `{"result":{"status":"` + status + `","request_id":"8f0c","model":"m"},"success":true}`,
		}
	}
	done := &reply{
		status: http.StatusOK, contentType: "application/json",
		body: `{"result":{"responses":[{}],"usage":{"neurons":0.25}},"success":true}`,
	}
	for name, restarts := range map[string]bool{"a restart, on a file": true, "another replica, on Redis": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := filepath.Join(t.TempDir(), "clients.yaml")
			replace(t, clients, clientsText("a,", "b,"))
			store := "NEURONWARD_STORE=file:" + filepath.Join(memoryDir(t), "neurons")
			if !restarts {
				store = startRedis(t).url(redisWord)
			}
			upstream := newScripted(t)
			environ := upstream.environ(store, "NEURONWARD_CLIENTS_FILE="+clients, "CLOUDFLARE_API_TOKEN=x",
				"NEURONWARD_RECONCILE=0")
			call := func(p *process, client, body string, want int) {
				t.Helper()
				url := p.app + "/run/" + model + "?queueRequest=true"
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+keyOf(client))
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				equal(t, "status", resp.StatusCode, want)
			}
			first := start(t, environ)
			upstream.next.Store(inFlight("queued"))
			call(first, "a", submitted, http.StatusOK)
			charged := first.status().Used
			if charged == nil || quota.Neurons(*charged) < quota.OneNeuron {
				t.Fatalf("submitted: got %s neurons used, want more than what it costs", asJSON(t, charged))
			}
			if restarts {
				first.stop()
			}
			next := start(t, environ)
			const poll = `{"request_id":"8f0c"}`
			call(next, "b", poll, http.StatusForbidden)
			upstream.next.Store(inFlight("running"))
			call(next, "a", poll, http.StatusOK)
			next.used(asJSON(t, charged))
			upstream.next.Store(done)
			for range 2 {
				call(next, "a", poll, http.StatusOK)
				next.used("0.25")
			}
			call(next, "b", poll, http.StatusForbidden)
			if !restarts {
				call(first, "a", poll, http.StatusOK)
				first.used("0.25")
			}
			lacks(t, "the log", next.log.String(), "damaged")
		})
	}
}

// memoryDir returns a directory of the test's own, in memory where the system has one there: the store of a busy disk
// may be late.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "neuronward") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
