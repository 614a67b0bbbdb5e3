package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
)

const fakeToken = "a-token-of-nobody"

// hiding redacts secret.
func hiding(secret string) func(io.Writer) Redactor {
	red := new(config.Redactor)
	red.Add(secret)
	return func(w io.Writer) Redactor { return red.Writer(w) }
}

// today is a day on which m1 of team spent 2 neurons and m2 of other 2.000001, with 3 reserved.
func today() status.Today {
	neurons := func(n float64) *status.Neurons { return new(status.Neurons(quota.FromFloat(n))) }
	spent := func(name string, n float64) status.Spending { return status.Spending{Name: name, Neurons: *neurons(n)} }
	return status.Today{
		Day: new(quota.DayOf(time.Now())), Plan: "free", Mode: "enforce",
		Used: neurons(4.000001), Reserved: neurons(3), Lost: neurons(0), External: neurons(0),
		Limit: neurons(10_000), Remaining: neurons(9992.999999),
		Models: []status.Model{{Spending: spent("m2", 2.000001)}, {Spending: spent("m1", 2)}},
		Clients: []status.Client{
			{Spending: spent("other", 2.000001)}, {Spending: spent("team", 2), Limit: neurons(50)},
		},
	}
}

func TestAdmin(t *testing.T) {
	series := metrics.New(metrics.Build{Version: "v0.0.0-test"}).Handler()
	loopback := func(names ...string) Options { return Options{CheckHost: true, Hosts: proxy.NewHosts(names...)} }
	for _, c := range []struct {
		name, method, path, host string
		options                  Options
		unready                  string
		broken                   error // of the store
		status                   int
		body                     string
	}{
		{name: "index", path: "/", status: 200, body: "/readyz"},
		{name: "index without profiles", path: "/", status: 200, body: "neuronward, admin listener"},
		{name: "alive", path: "/livez", status: 200, body: "ok\n"},
		{name: "alive while not ready", path: "/livez", unready: "draining", status: 200, body: "ok\n"},
		{name: "ready", path: "/readyz", status: 200, body: "ok\n"},
		{
			name: "not ready", path: "/readyz", unready: "draining: this process is ending",
			status: 503, body: "draining: this process is ending\n",
		},
		{
			name: "not ready, and a secret in the reason", path: "/readyz",
			unready: "redis://u:" + fakeToken + "@h is gone", status: 503,
			body: "redis://u:[redacted]@h is gone\n",
		},
		{name: "status", path: "/status", status: 200, body: `"version": "v0.0.0-test"`},
		{name: "status, and a secret in it", path: "/status", status: 200, body: `"commit": "[redacted]"`},
		{name: "days", path: "/status/history", status: 200, body: `"calls": 7`},
		{name: "more days", path: "/status/history?days=62", status: 200, body: `"calls": 62`},
		{name: "days as CSV", path: "/status/history.csv", status: 200, body: "day,model,client,calls,neurons,usd\n"},
		{name: "too many days", path: "/status/history?days=63", status: 400, body: "from 1 to 62"},
		{name: "no days", path: "/status/history?days=0", status: 400, body: "from 1 to 62"},
		{name: "days that are no number", path: "/status/history?days=week", status: 400, body: "from 1 to 62"},
		{
			name: "days that cannot be read", path: "/status/history", broken: errors.New("disk of " + fakeToken),
			status: 503, body: "the days cannot be read: disk of [redacted]",
		},
		{name: "metrics", path: "/metrics", status: 200, body: `neuronward_errors_total{code="3040",`},
		{name: "metrics with build", path: "/metrics", status: 200, body: `version="v0.0.0-test"`},
		{name: "no profiles", path: "/debug/pprof/", status: 404, body: "not found"},
		{name: "profiles", path: "/debug/pprof/", options: Options{Pprof: true}, status: 200, body: "goroutine"},
		{name: "unknown path", path: "/admin", status: 404, body: "not found"},
		{name: "wrong method", method: "POST", path: "/readyz", status: 405, body: "Method Not Allowed"},
		{
			name: "foreign host on loopback", path: "/metrics", host: "evil.example", options: loopback(),
			status: 403, body: "NEURONWARD_HOSTS",
		},
		{
			name: "foreign host beyond loopback", path: "/livez", host: "neuronward.monitoring.svc:3037",
			status: 200, body: "ok\n",
		},
		{
			name: "address on loopback", path: "/livez", host: "127.0.0.1:3037", options: loopback(),
			status: 200, body: "ok\n",
		},
		{name: "localhost", path: "/livez", host: "localhost:3037", options: loopback(), status: 200, body: "ok\n"},
		{
			name: "named host on loopback", path: "/livez", host: "ai.internal", options: loopback("ai.internal"),
			status: 200, body: "ok\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.options
			o.Metrics, o.Redact, o.Minutes = series, hiding(fakeToken), minutes.New()
			o.Unready = func() string { return c.unready }
			o.Status = func(context.Context) *status.Status {
				return &status.Status{Version: "v0.0.0-test", Commit: fakeToken}
			}
			o.History = func(_ context.Context, days int) (status.History, error) {
				return status.History{Days: []status.PastDay{{Calls: int64(days)}}}, c.broken
			}
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequest(method, "http://127.0.0.1:3037"+c.path, http.NoBody)
			if c.host != "" {
				r.Host = c.host
			}
			r.Header.Set("Accept", "text/plain")
			w := httptest.NewRecorder()
			Handler(o).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
			holds(t, w, c.body)
			if !o.Pprof {
				lacks(t, w, "pprof")
			}
		})
	}
}
