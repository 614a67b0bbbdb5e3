package admin

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/demo"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/page"
	"github.com/neuronward/neuronward/normalize/reference"
)

// maxFilter is how long a filter of the page may be, in bytes.
const maxFilter = 200

// index shows the page, or the list of paths to curl and to those who ask for plain text.
func (a *admin) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", reference.Vary)
	accept := r.Header.Get("Accept")
	plain := strings.Contains(accept, "text/plain") || strings.HasPrefix(r.UserAgent(), "curl/")
	if strings.Contains(accept, "text/html") || !plain {
		a.showPage(w, r)
		return
	}
	list := `neuronward, admin listener

/          for people, in a browser
/errors    the error reference
/metrics   series for Prometheus
/livez     200 while the process lives
/readyz    200 while it accepts calls, 503 while it ends or has no store
/status    the day's neurons, by model and client, as JSON
/status/history?days=7       what the last days cost
/status/history.csv?days=7   the same by day, model and client`
	if a.Pprof {
		list += "\n/debug/pprof/   Go profiles"
	}
	text(w, http.StatusOK, list)
}

func (a *admin) showPage(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	in := &page.Input{
		Now: now, Status: a.Status(r.Context()), Unready: a.Unready(),
		Models: a.Minutes.Models(now), Clients: a.Minutes.Clients(now), Failures: a.Minutes.Failures(now),
		Filter: r.URL.Query().Get("q"),
	}
	if len(in.Filter) > maxFilter {
		in.Filter = in.Filter[:maxFilter]
	}
	if day := in.Status.Day; day != nil {
		in.Samples = a.Minutes.Samples(int64(*day), now)
	}
	if a.caller != nil {
		in.Demo = demo.Groups()
	}
	var b bytes.Buffer
	if err := page.Write(&b, in); err != nil {
		a.text(w, http.StatusInternalServerError, "the page cannot be made: "+err.Error())
		return
	}
	w.Header().Set("Content-Security-Policy", page.Policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	head(w, http.StatusOK, "text/html; charset=utf-8")
	a.write(w, b.Bytes())
}

// errors shows the error reference, which apps have on their listener as well.
func (a *admin) errors(w http.ResponseWriter, r *http.Request) {
	p, ok, err := reference.Render(reference.Request{
		Topic: r.PathValue("topic"), Filter: r.URL.Query().Get("q"), Accept: r.Header.Get("Accept"),
		UserAgent: r.UserAgent(), Home: "/", Setting: a.Setting,
	})
	switch {
	case err != nil:
		a.text(w, http.StatusInternalServerError, "the reference cannot be made: "+err.Error())
	case !ok:
		text(w, http.StatusNotFound, "The error reference has no such entry. All are listed under /errors.")
	default:
		w.Header().Set("Content-Security-Policy", reference.Policy())
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Vary", reference.Vary)
		head(w, http.StatusOK, p.ContentType)
		w.Write(p.Body)
	}
}

// demoCall answers a button with request and answer as plain text, while they arrive.
func (a *admin) demoCall(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	out := &flushing{w: w, flusher: http.NewResponseController(w)}
	if !a.caller.Call(r.Context(), r.PostFormValue("try"), out) {
		text(w, http.StatusNotFound, "there is no such button")
	}
}

// flushing passes on at once what is written to it.
type flushing struct {
	w       http.ResponseWriter
	flusher *http.ResponseController
	begun   bool
}

// Write implements io.Writer.
func (f *flushing) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		head(f.w, http.StatusOK, plainText)
	}
	n, err := f.w.Write(p)
	if err == nil {
		err = f.flusher.Flush()
	}
	return n, err
}
