package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html/template"
	"io"
	"net/http"
	"sync"

	"github.com/neuronward/neuronward/normalize/reference"
)

//go:embed page.html
var html string

//go:embed page.css
var style string

//go:embed page.js
var script string

//go:embed icon.svg
var icon string

// Policy is the Content-Security-Policy of the page: its own files, and nothing
// else.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// A Request is what a reader asks for beside the page itself.
type Request struct {
	Filter string // words that a failure must have to be listed
	Tries  bool   // the demo's buttons are there
	Tried  *Tried // what the last of them brought; nil: none was pressed
}

// Write writes the page.
func Write(w io.Writer, s *State, r Request) error {
	v := view{
		State: s, Request: r, Styled: assets().style.path, Scripted: assets().script.path, Icon: assets().icon.path,
		Verdict: verdictOf(s), Standings: standingsOf(s), Failing: failingOf(s.Failing), Last: lastOf(s.Last, r.Filter),
		Models: spendersOf("models", "By model", "model", s.Models), Clients: spendersOf("clients", "By client", "client", s.Clients),
	}
	if s.Day != nil {
		v.Curve = curveOf(s.Day, s.Now)
	}
	if r.Tries {
		v.Groups = tries()
	}
	return sheet.Execute(w, v)
}

type view struct {
	*State
	Request
	Styled, Scripted, Icon string

	Verdict   verdict
	Curve     *curve
	Standings []standing
	Failing   []failing
	Models    spenders
	Clients   spenders
	Last      []lastRow
	Groups    []tryGroup
}

var sheet = template.Must(template.New("page").Funcs(template.FuncMap{
	"amount": amount, "clock": clock, "second": second, "percent": percentText,
}).Parse(html))

// An asset is a file of the page. Its path changes with it, so that it may be
// kept.
type asset struct {
	path, kind string
	body       []byte
}

var assets = sync.OnceValue(func() (a struct{ style, script, icon asset }) {
	of := func(name, kind, body string) asset {
		sum := sha256.Sum256([]byte(body))
		return asset{"/page/" + hex.EncodeToString(sum[:6]) + "/" + name, kind, []byte(body)}
	}
	a.style = of("page.css", "text/css; charset=utf-8", reference.Style+style)
	a.script = of("page.js", "text/javascript; charset=utf-8", script)
	a.icon = of("icon.svg", "image/svg+xml", icon)
	return a
})

// ServeFile answers a request for a file that the page needs.
func ServeFile(w http.ResponseWriter, r *http.Request) {
	all := assets()
	for _, a := range []asset{all.style, all.script, all.icon} {
		if r.URL.Path == a.path {
			h := w.Header()
			h.Set("Content-Type", a.kind)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("X-Content-Type-Options", "nosniff")
			io.Copy(w, bytes.NewReader(a.body)) //nolint:errcheck // nobody is left to tell
			return
		}
	}
	http.NotFound(w, r)
}
