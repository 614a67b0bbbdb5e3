package deploytest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/clients"
)

// A fleet is replicas that share one account through a Redis server, with a clients file.
type fleet struct {
	t        *testing.T
	replicas []*replica
	keys     map[string]string // by client
	client   *http.Client
}

// A replica is one process of the product.
type replica struct {
	*process
	app   string // base URL
	admin string // host and port, to scrape
}

// teams are the clients of a fleet, with what their entries say beyond name and key. Each meets another limit.
var teams = map[string]string{
	"console":     "priority: high",
	"search-team": "daily_neurons: 3000, monthly_neurons: 90000",
	"chatbot":     "priority: normal",
	"batch-jobs":  "priority: low, daily_neurons: 2000",
	"intern":      "daily_neurons: 1",
	"night-job":   "requests_per_minute: 1",
	"docs":        `models: ["@cf/baai/*"]`,
}

// startDemos starts so many replicas of the demo, each in front of a simulated Workers AI of its own, with
// these variables beyond what makes them a fleet. What is simulated there trips no breaker and spends no day.
func startDemos(t *testing.T, replicas int, environ ...string) *fleet {
	t.Helper()
	return startFleet(t, "demo", replicas, environ)
}

// startServing starts so many replicas of the product in front of one Workers AI.
func startServing(t *testing.T, replicas int, upstream *upstream, environ ...string) *fleet {
	t.Helper()
	return startFleet(t, "serve", replicas, slices.Concat([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + upstreamAccount, "CLOUDFLARE_API_TOKEN=" + upstreamToken,
		"NEURONWARD_UPSTREAM=" + upstream.url,
	}, environ))
}

// startFleet starts replicas of a command. Limits of time are short, so that they are met.
func startFleet(t *testing.T, command string, replicas int, environ []string) *fleet {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, keys: make(map[string]string), client: &http.Client{Timeout: maxWait, Transport: &http.Transport{
		MaxIdleConnsPerHost: 64,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // a test's certificate is nobody's word
	}}}
	t.Cleanup(f.client.CloseIdleConnections)
	environ = slices.Concat([]string{
		"NEURONWARD_LISTEN=127.0.0.1:0", "NEURONWARD_ADMIN_LISTEN=127.0.0.1:0", "NEURONWARD_LOG_FORMAT=json",
		"NEURONWARD_PLAN=free", "NEURONWARD_MONTHLY_NEURONS=300000",
		"NEURONWARD_STORE=" + startRedis(t), "NEURONWARD_CLIENTS_FILE=" + f.writeClients(),
		"NEURONWARD_RATE_WAIT=1s", "NEURONWARD_QUOTA_WAIT=1s", "NEURONWARD_FIRST_BYTE_TIMEOUT=2s",
		"NEURONWARD_STREAM_IDLE_TIMEOUT=2s",
		"NEURONWARD_MAX_BODY=64KiB", "NEURONWARD_RATE_LIMITS=text-generation=60000",
	}, environ)
	for range replicas {
		f.replicas = append(f.replicas, &replica{process: launch(t, environ, path, command)})
	}
	for _, r := range f.replicas {
		r.await("it listens", r.listens)
		until(t, "it is ready", func() bool {
			resp, err := http.Get("http://" + r.admin + "/readyz")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
	return f
}

// listens reports whether a log line says where the replica listens, and keeps that.
func (r *replica) listens(line string) bool {
	var at struct {
		Message string `json:"msg"`
		Scheme  string `json:"scheme"`
		Listen  string `json:"listen"`
		Admin   string `json:"admin_listen"`
	}
	if json.Unmarshal([]byte(line), &at) != nil || at.Message != "listening" {
		return false
	}
	r.app, r.admin = at.Scheme+"://"+at.Listen, at.Admin
	return true
}

// writeClients writes a clients file of teams, and keeps their keys.
func (f *fleet) writeClients() string {
	f.t.Helper()
	var file strings.Builder
	file.WriteString("clients:\n")
	for _, name := range slices.Sorted(maps.Keys(teams)) {
		key := clients.NewKey()
		f.keys[name] = key.Secret
		fmt.Fprintf(&file, "  - {name: %s, key_sha256: %s, %s}\n", name, key.SHA256, teams[name])
	}
	path := filepath.Join(f.t.TempDir(), "clients.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// targets are the addresses to scrape.
func (f *fleet) targets() []string {
	addresses := make([]string, len(f.replicas))
	for i, r := range f.replicas {
		addresses[i] = r.admin
	}
	return addresses
}
