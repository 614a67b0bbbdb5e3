package page

import (
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/demo"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/words"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/reference"
	"github.com/neuronward/neuronward/proxy"
	"github.com/neuronward/neuronward/proxy/recent"
)

//go:embed page.html
var html string

//go:embed page.css
var style string

//go:embed page.js
var script string

//go:embed icon.svg
var icon string

// Policy is the Content-Security-Policy of the page: its own files, and nothing else.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types 'none'"

// Input is all that the page shows, as of one moment.
type Input struct {
	Now     time.Time
	Status  *status.Status
	Unready string // why calls would be refused; "": they would not

	Samples  []minutes.Sample // of today, the oldest first
	Failures []minutes.CodeFailures
	Models   map[string]minutes.LastHour
	Clients  map[string]minutes.LastHour

	Filter string       // words that a failure must have to be listed
	Demo   []demo.Group // nil: no buttons
}

// Write writes the page.
func Write(w io.Writer, in *Input) error {
	v := struct {
		*Input
		Curve      *curve
		Spending   []table
		Failing    []minutes.CodeFailures // that somebody else than callers can fix
		CallersOwn []minutes.CodeFailures
		Last, Own  []recent.Failure // likewise
		Refused    []recent.Failure
	}{
		Input: in, Refused: matching(in.Status.Refusals, in.Filter),
		Spending: []table{modelTable(in.Status.Models, in.Models), clientTable(in.Status.Clients, in.Clients)},
	}
	for _, f := range in.Failures {
		if f.Caller {
			v.CallersOwn = append(v.CallersOwn, f)
		} else {
			v.Failing = append(v.Failing, f)
		}
	}
	for _, f := range matching(in.Status.Failures, in.Filter) {
		if f.Fault == string(normalize.FaultCaller) {
			v.Own = append(v.Own, f)
		} else {
			v.Last = append(v.Last, f)
		}
	}
	if in.Status.Day != nil {
		v.Curve = curveOf(&in.Status.Today, in.Samples, in.Now)
	}
	return sheet().Execute(w, v)
}

// sheet is parsed when it is asked for first: most processes start without anybody who looks at them.
var sheet = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"amount": amount, "rounded": words.Rounded, "grouped": words.Grouped, "plural": words.Plural,
		"percent": percentText, "title": title, "finding": findingOf,
		"clock": clock, "second": second, "bare": bare, "hour": hour, "lasted": lasted,
		"spent": spent, "limiting": limiting, "origin": origin, "key": key,
		"refusers": refusers, "fixer": fixer, "total": total, "parts": parts,
	}).Parse(html))
})

// ServeFile answers a request for a file that the page loads.
func ServeFile(w http.ResponseWriter, r *http.Request) {
	files := map[string]string{
		"/page/page.css": reference.Style + style, "/page/page.js": script, "/page/icon.svg": icon,
	}
	body, ok := files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // the next version of the program has others
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, r.URL.Path, time.Time{}, strings.NewReader(body))
}

// title is a state for people.
func title(s status.State) string {
	return map[status.State]string{
		status.StateOff: "Not counted", status.StateOK: "OK",
		status.StateWarning: "Warning", status.StateCritical: "Critical",
	}[s]
}

// A finding is one of the four that the verdict is made of.
type finding struct {
	Name string
	status.Finding
}

// findingOf returns a finding as a line below the verdict. What the verdict says already is not said again.
func findingOf(name string, f status.Finding, v status.Verdict) finding {
	if f == v.Finding || f.State == status.StateOK {
		f.Action = ""
	}
	return finding{name, f}
}

// spent is what the day has cost, through this proxy and outside it.
func spent(t *status.Today) status.Neurons { return *t.Used + *t.External }

// limiting returns the rates that slow calls down.
func limiting(rates []proxy.Rate) []proxy.Rate {
	var all []proxy.Rate
	for _, r := range rates {
		if r.Pace < float64(r.PerMinute) || r.Waiting > 0 {
			all = append(all, r)
		}
	}
	return all
}
