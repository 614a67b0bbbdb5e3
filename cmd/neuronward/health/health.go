package health

import (
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// A Verdict says whether a process takes calls. The zero value says that it does.
type Verdict struct {
	Reason  string         // why it takes none, for people; "": it takes calls
	Code    normalize.Code // what calls fail with
	Message string         // for callers; "": the catalog's
}

// Options is what Handler answers with.
type Options struct {
	Verdict       func() Verdict
	AllowedHost   func(host string) bool // nil: any; others go to Next, which refuses them
	RetryAfterMax time.Duration          // a longer wait is not sent
	Setting       normalize.SettingName
	Next          http.Handler // of everything else, other methods with it
}

// Handler answers GET and HEAD of /livez and /readyz. A process that takes no calls is not ready: it answers with the
// envelope of the failure that a call would get.
func Handler(o Options) http.Handler { return &handler{o} }

type handler struct{ Options }

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/") // one slash at the end changes nothing
	asked := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !asked || h.AllowedHost != nil && !h.AllowedHost(r.Host) && !without(r):
		h.Next.ServeHTTP(w, r)
	case path == "/livez":
		answer(w, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
	case path == "/readyz":
		h.ready(w)
	default:
		h.Next.ServeHTTP(w, r)
	}
}

// without reports whether a request names no host, as probes do that speak HTTP/1.0. A browser always names one.
func without(r *http.Request) bool { return r.Host == "" && !r.ProtoAtLeast(1, 1) }

func (h *handler) ready(w http.ResponseWriter) {
	v := h.Verdict()
	if v.Reason == "" {
		answer(w, http.StatusOK, "text/plain; charset=utf-8", "ok\n")
		return
	}
	f := &normalize.Failure{Code: v.Code, Message: v.Message, RequestID: rand.Text()}
	*f = f.Resolved()
	f.NameSettings(h.Setting)
	f.SetHeader(w.Header(), h.RetryAfterMax)
	answer(w, f.Status, "application/json", string(f.Append(nil)))
}

func answer(w http.ResponseWriter, status int, contentType, body string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	io.WriteString(w, body) //nolint:errcheck // the caller has gone
}
