package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"

	"github.com/neuronward/neuronward/proxy"
)

// An admin answers on the admin listener. It is for people and Prometheus, so its failures are plain text, not the envelope
// that apps get.
type admin struct {
	metrics   http.Handler
	draining  func() bool
	pprof     bool
	checkHost bool // the listener is on loopback: a web page must not reach it by a name of its own
	hosts     proxy.Hosts
}

func (a admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.index)
	mux.Handle("GET /metrics", a.metrics)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	if a.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks so
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.checkHost && !a.hosts.Allowed(r.Host) {
			text(w, http.StatusForbidden, "While this listener is on loopback it answers to IP addresses, localhost and the names in NEURONWARD_HOSTS.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a admin) ready(w http.ResponseWriter, _ *http.Request) {
	if a.draining() {
		text(w, http.StatusServiceUnavailable, "draining: this process is ending")
		return
	}
	text(w, http.StatusOK, "ok")
}

func (a admin) index(w http.ResponseWriter, _ *http.Request) {
	list := `neuronward, admin listener

/metrics   series for Prometheus
/livez     200 while the process lives
/readyz    200 while it takes calls, 503 while it ends`
	if a.pprof {
		list += "\n/debug/pprof/   Go profiles"
	}
	text(w, http.StatusOK, list)
}

func text(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	io.WriteString(w, fmt.Sprintln(body)) //nolint:errcheck // nobody is left to tell
}
