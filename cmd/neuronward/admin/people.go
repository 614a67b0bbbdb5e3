package admin

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/page"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize/reference"
)

// What the admin listener shows to people rather than to machines.

// index is the page, or the list of paths for who asks with curl or for plain text.
func (a admin) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", reference.Vary)
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "text/html") || !strings.Contains(accept, "text/plain") && !strings.HasPrefix(r.UserAgent(), "curl/") {
		a.show(w, r, page.Request{Filter: r.URL.Query().Get("q")})
		return
	}
	list := `neuronward, admin listener

/          for people, in a browser
/errors    the error reference
/metrics   series for Prometheus
/livez     200 while the process lives
/readyz    200 while it takes calls, 503 while it ends or has no store
/status    the day's neurons, by model and client, as JSON
/status/history?days=7   what the last days cost`
	if a.Pprof {
		list += "\n/debug/pprof/   Go profiles"
	}
	text(w, http.StatusOK, list)
}

func (a admin) show(w http.ResponseWriter, r *http.Request, asked page.Request) {
	asked.Tries = a.tries != nil
	if len(asked.Filter) > mostFilter {
		asked.Filter = asked.Filter[:mostFilter]
	}
	var b bytes.Buffer
	if err := page.Write(&b, stateOf(a.Status(r.Context()), a.Minutes, a.Unready()), asked); err != nil {
		a.text(w, http.StatusInternalServerError, "the page cannot be made: "+err.Error())
		return
	}
	w.Header().Set("Content-Security-Policy", page.Policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	head(w, http.StatusOK, "text/html; charset=utf-8")
	out := a.Redact(w)
	out.Write(b.Bytes()) //nolint:errcheck // nobody is left to tell
	out.Flush()          //nolint:errcheck // nobody is left to tell
}

// mostFilter is how long a filter may be, in bytes.
const mostFilter = 200

// errors is the error reference, as apps have it on theirs.
func (a admin) errors(w http.ResponseWriter, r *http.Request) {
	p, ok, err := reference.Render(reference.Request{
		Topic: r.PathValue("topic"), Accept: r.Header.Get("Accept"), UserAgent: r.UserAgent(), Home: "/",
	})
	switch {
	case err != nil:
		a.text(w, http.StatusInternalServerError, "the reference cannot be made: "+err.Error())
	case !ok:
		text(w, http.StatusNotFound, "The error reference has no such entry. All are listed under /errors.")
	default:
		w.Header().Set("Content-Security-Policy", reference.Policy())
		w.Header().Set("Vary", reference.Vary)
		head(w, http.StatusOK, p.ContentType)
		w.Write(p.Body)
	}
}

// tries makes the demo's calls for who presses its buttons: to the app listener, as an app would.
type tries struct {
	client *http.Client
	base   string
}

func newTries(base string) *tries {
	return &tries{base: base, client: &http.Client{Transport: &http.Transport{
		DialContext:     new(net.Dialer).DialContext,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // our own listener, whose certificate may name another host
	}}}
}

// try answers a button: with the answer alone as it comes where a script asks, and with the page where the browser itself does.
func (a admin) try(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	key := r.PostFormValue("try")
	if reference.Prefers(r.Header.Get("Accept"), "text/html", "text/plain") {
		var b bytes.Buffer
		if !page.Try(r.Context(), a.tries.client, a.tries.base, key, &b) {
			text(w, http.StatusNotFound, "there is no such button")
			return
		}
		a.show(w, r, page.Request{Tried: &page.Tried{Text: b.String()}})
		return
	}
	out := &flushing{w: w, flusher: http.NewResponseController(w)}
	if !page.Try(r.Context(), a.tries.client, a.tries.base, key, out) {
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

// stateOf is a status as the page has it, so that both tell the same figures.
func stateOf(s *status.Status, m *minutes.Minutes, unready string) *page.State {
	now := time.Now()
	st := &page.State{
		Now: now, Version: s.Version, Unready: unready, Mode: s.Mode, Plan: s.Plan,
		Failing: m.Failures(now), Last: s.Failures, Load: s.Requests, Rates: s.Rates, Breakers: s.Breakers,
		Store: page.Store{Kind: s.Store.Kind, Policy: s.Store.Policy}, Holders: s.Replicas, Waiting: s.Waiting,
	}
	if s.Store.Failure != nil {
		st.Store.Failure = *s.Store.Failure
	}
	models, clients := m.Models(now), m.Clients(now)
	for _, spent := range s.Models {
		st.Models = append(st.Models, spender(spent, models))
	}
	for _, c := range s.Clients {
		one := spender(c.Spending, clients)
		one.Limit = floatOf(c.Limit)
		st.Clients = append(st.Clients, one)
	}
	st.Models, st.Clients = append(st.Models, free(models)...), append(st.Clients, free(clients)...)
	if s.Day != nil {
		st.Day = dayOf(&s.Today, m, now)
	}
	return st
}

func dayOf(d *status.Today, m *minutes.Minutes, now time.Time) *page.Day {
	on := &page.Day{
		Start: d.Day.Start(), Used: *floatOf(d.Used), Reserved: *floatOf(d.Reserved), Lost: *floatOf(d.Lost), External: *floatOf(d.External),
		Limit: floatOf(d.Limit), Remaining: floatOf(d.Remaining), Rate: d.Rate,
		ExhaustedAt: d.ExhaustedAt, ExpectedAt: d.ExpectedAt, Latched: d.Blocked, RetryAt: d.RetryAt, PlanWrong: d.PlanWrong,
		Samples: m.Samples(int64(*d.Day), now), FigureAt: d.Reconciliation.CountedUntil,
	}
	if d.Reconciliation.Failure != nil {
		on.FigureFailure = *d.Reconciliation.Failure
	}
	for _, until := range d.Hours {
		if until != nil {
			on.Hours = append(on.Hours, *floatOf(until))
		}
	}
	if d.Yesterday != nil {
		on.YesterdayUsed, on.YesterdayNow = *floatOf(&d.Yesterday.Used), floatOf(d.Yesterday.ByNow)
		for _, until := range d.Yesterday.Hours {
			on.Yesterday = append(on.Yesterday, *floatOf(until))
		}
	}
	return on
}

// spender is what a model or client spent, with how it fared in the last hour, which it takes out of lately.
func spender(s status.Spending, lately map[string]minutes.Standing) page.Spender {
	hour := lately[s.Name]
	delete(lately, s.Name)
	return page.Spender{Name: s.Name, Calls: s.Calls, Neurons: s.Neurons.Float(), Hour: hour}
}

// free are the models or clients that have called in the last hour and spent nothing today, the busiest first.
func free(lately map[string]minutes.Standing) []page.Spender {
	var all []page.Spender
	for name, hour := range lately {
		all = append(all, page.Spender{Name: name, Hour: hour})
	}
	slices.SortFunc(all, func(a, b page.Spender) int {
		return cmp.Or(cmp.Compare(b.Hour.Calls, a.Hour.Calls), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// floatOf is f in whole neurons, nil where it is.
func floatOf(f *status.Neurons) *float64 {
	if f == nil {
		return nil
	}
	n := f.Float()
	return &n
}
