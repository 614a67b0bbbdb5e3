package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/page"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/quota"
)

// An admin answers on the admin listener. It is for people and Prometheus, so its failures are plain text, not the envelope
// that apps get.
type admin struct {
	metrics   http.Handler
	unready   func() string // why calls would be refused, "" when they would not
	status    func(context.Context) statusPage
	history   func(ctx context.Context, days int) (history, error)
	page      func(context.Context) *page.State // for people
	tries     *tries                            // the demo's buttons; nil: there are none
	redactor  *config.Redactor
	pprof     bool
	checkHost bool // the listener is on loopback: a web page must not reach it by a name of its own
	hosts     proxy.Hosts
}

func (a admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.index)
	mux.HandleFunc("GET /page/", page.ServeFile)
	mux.HandleFunc("GET /errors", a.errors)
	mux.HandleFunc("GET /errors/{topic}", a.errors)
	if a.tries != nil {
		mux.Handle("POST /demo/try", http.NewCrossOriginProtection().Handler(http.HandlerFunc(a.try)))
	}
	mux.Handle("GET /metrics", a.metrics)
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /status", a.showStatus)
	mux.HandleFunc("GET /status/history", a.showHistory)
	if a.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks so
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return a.known(mux)
}

// waiting is the handler while there is nothing to tell but why.
func (a admin) waiting() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics)
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("/", a.ready)
	return a.known(mux)
}

// known lets calls through to next that name a host that is ours.
func (a admin) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.checkHost && !a.hosts.Allowed(r.Host) {
			text(w, http.StatusForbidden, "While this listener is on loopback it answers to IP addresses, localhost and the names in NEURONWARD_HOSTS.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func alive(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") }

func (a admin) ready(w http.ResponseWriter, _ *http.Request) {
	if reason := a.unready(); reason != "" {
		a.text(w, http.StatusServiceUnavailable, reason)
		return
	}
	text(w, http.StatusOK, "ok")
}

func (a admin) showStatus(w http.ResponseWriter, r *http.Request) {
	a.json(w, a.status(r.Context()))
}

// Days that /status/history tells of.
const (
	usualDays = 7
	mostDays  = quota.KeepDays
)

func (a admin) showHistory(w http.ResponseWriter, r *http.Request) {
	days := usualDays
	if asked := r.URL.Query().Get("days"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > mostDays {
			text(w, http.StatusBadRequest, fmt.Sprintf("days is a whole number from 1 to %d", mostDays))
			return
		}
		days = n
	}
	h, err := a.history(r.Context(), days)
	if err != nil {
		a.text(w, http.StatusServiceUnavailable, "the days cannot be read: "+err.Error())
		return
	}
	a.json(w, h)
}

// json answers with v, for machines and for people with curl.
func (a admin) json(w http.ResponseWriter, v any) {
	head(w, http.StatusOK, "application/json")
	out := a.redactor.Writer(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	enc.Encode(v) //nolint:errcheck // nobody is left to tell
	out.Flush()   //nolint:errcheck // nobody is left to tell
}

// text answers with what may hold the words of an error.
func (a admin) text(w http.ResponseWriter, status int, body string) {
	head(w, status, plainText)
	out := a.redactor.Writer(w)
	fmt.Fprintln(out, body)
	out.Flush() //nolint:errcheck // nobody is left to tell
}

const plainText = "text/plain; charset=utf-8"

func text(w http.ResponseWriter, status int, body string) {
	head(w, status, plainText)
	io.WriteString(w, fmt.Sprintln(body)) //nolint:errcheck // nobody is left to tell
}

func head(w http.ResponseWriter, status int, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}
