package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
)

func TestAdmin(t *testing.T) {
	series := metrics.New(metrics.Build{Version: "v0.0.0-test"}).Handler()
	cases := []struct {
		name, method, path, host string
		admin                    admin
		draining                 bool
		status                   int
		body                     string
	}{
		{name: "index", path: "/", status: 200, body: "/readyz"},
		{name: "index without profiles", path: "/", status: 200, body: "neuronward, admin listener"},
		{name: "alive", path: "/livez", status: 200, body: "ok\n"},
		{name: "alive while draining", path: "/livez", draining: true, status: 200, body: "ok\n"},
		{name: "ready", path: "/readyz", status: 200, body: "ok\n"},
		{name: "not ready while draining", path: "/readyz", draining: true, status: 503, body: "draining"},
		{name: "metrics", path: "/metrics", status: 200, body: `neuronward_errors_total{code="3040",`},
		{name: "metrics with build", path: "/metrics", status: 200, body: `version="v0.0.0-test"`},
		{name: "no profiles", path: "/debug/pprof/", status: 404, body: "not found"},
		{name: "profiles", path: "/debug/pprof/", admin: admin{pprof: true}, status: 200, body: "goroutine"},
		{name: "unknown path", path: "/admin", status: 404, body: "not found"},
		{name: "wrong method", method: "POST", path: "/readyz", status: 405, body: "Method Not Allowed"},
		{name: "foreign host on loopback", path: "/metrics", host: "evil.example", admin: admin{checkHost: true, hosts: proxy.NewHosts()}, status: 403, body: "NEURONWARD_HOSTS"},
		{name: "foreign host beyond loopback", path: "/livez", host: "neuronward.monitoring.svc:3037", status: 200, body: "ok\n"},
		{name: "address on loopback", path: "/livez", host: "127.0.0.1:3037", admin: admin{checkHost: true, hosts: proxy.NewHosts()}, status: 200, body: "ok\n"},
		{name: "localhost", path: "/livez", host: "localhost:3037", admin: admin{checkHost: true, hosts: proxy.NewHosts()}, status: 200, body: "ok\n"},
		{name: "named host on loopback", path: "/livez", host: "ai.internal", admin: admin{checkHost: true, hosts: proxy.NewHosts("ai.internal")}, status: 200, body: "ok\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := c.admin
			a.metrics, a.draining = series, func() bool { return c.draining }
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequest(method, "http://127.0.0.1:3037"+c.path, http.NoBody)
			if c.host != "" {
				r.Host = c.host
			}
			w := httptest.NewRecorder()
			a.handler().ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("got %d %q, want %d with %q", w.Code, w.Body.String(), c.status, c.body)
			}
			if !a.pprof && strings.Contains(w.Body.String(), "pprof") {
				t.Errorf("profiles are named though they are off: %q", w.Body.String())
			}
		})
	}
}
