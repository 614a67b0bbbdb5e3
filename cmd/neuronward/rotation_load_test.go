package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
)

// A keyChange is a proxy whose clients file changes while callers call, in virtual time.
type keyChange struct {
	t       *testing.T
	path    string // of the clients file
	proxy   *proxy.Proxy
	metrics *metrics.Metrics
	key     [8]atomic.Value // that each caller sends
	calls   atomic.Int64    // that succeeded
	oldUsed atomic.Int64    // Unix time at which a caller last sent the old key
	stop    chan struct{}
	callers sync.WaitGroup
}

const oldKey, newKey = "old", "new" // names for keyOf

// putKeys puts one client with these keys into the file, as YAML has them.
func (k *keyChange) putKeys(keys ...string) {
	k.t.Helper()
	replace(k.t, k.path, "clients:\n  - name: team\n    key_sha256:\n      - "+strings.Join(keys, "\n      - ")+"\n")
}

// call makes a call with a key.
func (k *keyChange) call(key string) (status int, body string) {
	r := httptest.NewRequestWithContext(k.t.Context(), http.MethodPost, "/run/"+model,
		strings.NewReader(`{"prompt":"x","max_tokens":16}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+keyOf(key))
	w := httptest.NewRecorder()
	k.proxy.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// hammer has each caller call without a pause, until stop is closed.
func (k *keyChange) hammer() {
	for i := range k.key {
		k.key[i].Store(oldKey)
		k.callers.Go(func() {
			for {
				select {
				case <-k.stop:
					return
				default:
				}
				key := k.key[i].Load().(string)
				if key == oldKey {
					k.oldUsed.Store(time.Now().Unix())
				}
				if status, body := k.call(key); status != http.StatusOK {
					k.t.Errorf("caller %d with the %s key at %v: got %d %s, want 200", i, key, time.Now(), status, body)
					return
				}
				k.calls.Add(1)
			}
		})
	}
}

// refused checks that the old key opens nothing, and why.
func (k *keyChange) refused(why string) {
	k.t.Helper()
	status, body := k.call(oldKey)
	isAnswer(k.t, "the old key", status, body, http.StatusUnauthorized, `"name":"client_unauthorized"`, why)
}

// series returns the value of a series of a key, "" where there is none.
func (k *keyChange) series(name, key string) string {
	k.t.Helper()
	start := fmt.Sprintf("neuronward_client_key_%s_timestamp_seconds{client=%q,key=%q} ",
		name, "team", hashOf(keyOf(key))[:8])
	for line := range strings.Lines(seriesOf(k.t, k.metrics)) {
		if value, ok := strings.CutPrefix(line, start); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// unix is a time as the series show it.
func unix(seconds int64) string { return fmt.Sprint(float64(seconds)) }

// change runs test on a proxy whose one client has the old key alone, while eight callers use it.
func change(t *testing.T, test func(k *keyChange)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		k := &keyChange{t: t, path: path, metrics: metrics.New(metrics.Build{}), stop: make(chan struct{})}
		k.putKeys(hashOf(keyOf(oldKey)))
		c, err := config.Load(environ(
			"CLOUDFLARE_API_TOKEN="+fakeToken, "NEURONWARD_CLIENTS_FILE="+path, "NEURONWARD_STORE=memory:",
			"NEURONWARD_PLAN=paid", "NEURONWARD_RATE_LIMITS=off",
		), new(config.Redactor))
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		n, err := openQuotas(t.Context(), c, log, k.metrics, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.metrics.WatchClients(func() metrics.ClientsFile { return clientsFile(c.Clients) })
		c.Watch(t.Context(), log, nil)
		settings := proxyConfig(c, n, log, k.metrics)
		settings.Transport = within{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			const latency = 100 * time.Millisecond // virtual
			io.Copy(io.Discard, r.Body)
			time.Sleep(latency)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"result":{"response":"x","usage":{"prompt_tokens":3,"completion_tokens":5,`+
				`"total_tokens":8,"neurons":2.5}},"success":true,"errors":[],"messages":[]}`)
		})}
		if k.proxy, err = proxy.New(settings); err != nil {
			t.Fatal(err)
		}
		k.hammer()
		test(k)
		close(k.stop)
		k.callers.Wait()
		if err := n.close(0, log); err != nil {
			t.Error(err)
		}
	})
}

// switchAll has one caller after the other use the new key.
func (k *keyChange) switchAll() {
	for i := range k.key {
		pass(330 * time.Millisecond)
		k.key[i].Store(newKey)
	}
	pass(time.Second) // calls with the old key have ended
}

// isServing checks that calls succeed all the time.
func (k *keyChange) isServing(d time.Duration) {
	k.t.Helper()
	before := k.calls.Load()
	pass(d)
	want := int64(d/(100*time.Millisecond)) * int64(len(k.key)-1)
	if got := k.calls.Load() - before; got < want {
		k.t.Errorf("calls in %v = %d, want at least %d", d, got, want)
	}
}

func TestAKeyExpiresUnderLoad(t *testing.T) {
	change(t, func(k *keyChange) {
		k.isServing(time.Second)
		expires := time.Now().Add(20 * time.Second).Truncate(time.Second)
		k.putKeys(hashOf(keyOf(newKey)),
			fmt.Sprintf("{sha256: %s, expires: %s}", hashOf(keyOf(oldKey)), expires.UTC().Format(time.RFC3339)))
		k.isServing(time.Second) // within which a change is in use
		equal(k.t, "the new key was last used", k.series("last_used", newKey), "0")
		equal(k.t, "the new key expires", k.series("expiry", newKey), "")
		equal(k.t, "the old key expires", k.series("expiry", oldKey), unix(expires.Unix()))
		k.switchAll()
		equal(k.t, "the old key was last used", k.series("last_used", oldKey), unix(k.oldUsed.Load()))

		pass(time.Until(expires) - time.Millisecond)
		last := time.Now().Unix()
		status, body := k.call(oldKey)
		isAnswer(k.t, "the old key just before it expires", status, body, http.StatusOK)
		k.refused("has expired") // that call took its time
		k.isServing(2 * time.Second)
		k.refused("has expired")
		equal(k.t, "the old key was last used, of calls that it opened", k.series("last_used", oldKey), unix(last))
		equal(k.t, "the old key expires, afterwards", k.series("expiry", oldKey), unix(expires.Unix()))

		k.putKeys(hashOf(keyOf(newKey)))
		k.isServing(time.Second)
		k.refused("is not one of this proxy's")
		equal(k.t, "the series of the key that is gone", k.series("last_used", oldKey), "")
	})
}

func TestAKeyIsRemovedUnderLoad(t *testing.T) {
	change(t, func(k *keyChange) {
		k.isServing(time.Second)
		k.putKeys(hashOf(keyOf(newKey)), hashOf(keyOf(oldKey)))
		k.isServing(time.Second)
		equal(k.t, "the old key expires", k.series("expiry", oldKey), "")
		k.switchAll()
		last := unix(k.oldUsed.Load())
		equal(k.t, "the old key was last used", k.series("last_used", oldKey), last)
		k.isServing(5 * time.Second)
		equal(k.t, "the old key was last used, five seconds later", k.series("last_used", oldKey), last)

		k.putKeys(hashOf(keyOf(newKey)))
		k.isServing(time.Second)
		k.refused("is not one of this proxy's")
		equal(k.t, "the series of the key that is gone", k.series("last_used", oldKey), "")
		k.isServing(time.Second)
	})
}
