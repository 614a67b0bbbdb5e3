package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/demo"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/page"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
)

// Options is what the admin listener answers with.
type Options struct {
	Metrics http.Handler
	Unready func() string // why calls would be refused, "" when they would not

	Status  func(context.Context) *status.Status
	History func(ctx context.Context, days int) (status.History, error)
	Minutes *minutes.Minutes // for the page

	Redact    func(io.Writer) Redactor // hides secrets in whatever is written
	Demo      string                   // base URL of the app listener, for the demo's buttons; "": no buttons
	Pprof     bool
	CheckHost bool // the listener is on loopback: a web page must not reach it by a name of its own
	Hosts     proxy.Hosts

	Setting normalize.SettingName // how the error reference names settings
}

// A Redactor passes on what is written to it without the secrets in it, and on Flush what it has held back.
type Redactor interface {
	io.Writer
	Flush() error
}

// Handler answers on the admin listener. It is for people and Prometheus, so its failures are plain text, not the
// envelope that apps get.
func Handler(o Options) http.Handler {
	a := &admin{Options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.index)
	mux.HandleFunc("GET /page/", page.ServeFile)
	mux.HandleFunc("GET /errors", a.errors)
	mux.HandleFunc("GET /errors/{topic}", a.errors)
	if o.Demo != "" {
		a.caller = demo.NewCaller(o.Demo)
		mux.Handle("POST /demo/try", http.NewCrossOriginProtection().Handler(http.HandlerFunc(a.demoCall)))
	}
	mux.HandleFunc("GET /favicon.ico", noIcon)
	mux.Handle("GET /metrics", a.Metrics)
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /status", a.showStatus)
	mux.HandleFunc("GET /status/history", a.showHistory)
	mux.HandleFunc("GET /status/history.csv", a.showHistory)
	if a.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks so
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return a.allowedHosts(mux)
}

// Waiting answers while the process waits for another one: it is alive and not ready, and knows nothing else. Of o it
// needs Metrics, Unready, Redact, CheckHost and Hosts.
func Waiting(o Options) http.Handler {
	a := &admin{Options: o}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics)
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("/", a.ready)
	return a.allowedHosts(mux)
}

type admin struct {
	Options
	caller *demo.Caller // nil: there are no buttons
}

// allowedHosts passes calls to next whose host is ours.
func (a *admin) allowedHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.CheckHost && !a.Hosts.Allowed(r.Host) {
			text(w, http.StatusForbidden, "While this listener is on loopback it answers to IP addresses, localhost "+
				"and the names in NEURONWARD_HOSTS.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noIcon answers browsers, which ask for an icon with every answer that is not HTML.
func noIcon(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func alive(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") }

func (a *admin) ready(w http.ResponseWriter, _ *http.Request) {
	if reason := a.Unready(); reason != "" {
		a.text(w, http.StatusServiceUnavailable, reason)
		return
	}
	text(w, http.StatusOK, "ok")
}

func (a *admin) showStatus(w http.ResponseWriter, r *http.Request) {
	a.json(w, a.Status(r.Context()))
}

func (a *admin) showHistory(w http.ResponseWriter, r *http.Request) {
	days := status.DefaultDays
	if asked := r.URL.Query().Get("days"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil || n < 1 || n > status.MaxDays {
			text(w, http.StatusBadRequest, fmt.Sprintf("days is a whole number from 1 to %d", status.MaxDays))
			return
		}
		days = n
	}
	h, err := a.History(r.Context(), days)
	if err != nil {
		a.text(w, http.StatusServiceUnavailable, "the days cannot be read: "+err.Error())
		return
	}
	if !strings.HasSuffix(r.URL.Path, ".csv") {
		a.json(w, h)
		return
	}
	head(w, http.StatusOK, "text/csv; charset=utf-8")
	out := a.Redact(w)
	h.WriteCSV(out) //nolint:errcheck // the caller has gone
	out.Flush()     //nolint:errcheck // likewise
}

// json answers with v, indented for people with curl.
func (a *admin) json(w http.ResponseWriter, v any) {
	head(w, http.StatusOK, "application/json")
	out := a.Redact(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	enc.Encode(v) //nolint:errcheck // the caller has gone
	out.Flush()   //nolint:errcheck // the caller has gone
}

// text answers with text that may hold a secret, such as that of an error.
func (a *admin) text(w http.ResponseWriter, code int, body string) {
	head(w, code, plainText)
	a.write(w, []byte(body+"\n"))
}

// write writes body without the secrets in it.
func (a *admin) write(w io.Writer, body []byte) {
	out := a.Redact(w)
	out.Write(body) //nolint:errcheck // the caller has gone
	out.Flush()     //nolint:errcheck // the caller has gone
}

const plainText = "text/plain; charset=utf-8"

func text(w http.ResponseWriter, code int, body string) {
	head(w, code, plainText)
	io.WriteString(w, body+"\n") //nolint:errcheck // the caller has gone
}

func head(w http.ResponseWriter, code int, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
}
