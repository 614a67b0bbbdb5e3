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
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin/demo"
	"github.com/neuronward/neuronward/cmd/neuronward/admin/status"
	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/normalize/reference"
	"github.com/neuronward/neuronward/proxy"
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
	s := in.Status
	v := view{
		Input: in, Assets: assets(),
		Verdict: verdictOf(&s.Today, in.Now), Lines: linesOf(s, in.Unready), Last: matching(s.Failures, in.Filter),
		Models:  modelTable(s.Models, in.Models),
		Clients: clientTable(s.Clients, in.Clients),
	}
	if s.Day != nil {
		v.Curve = curveOf(&s.Today, in.Samples, in.Now)
	}
	return sheet.Execute(w, v)
}

// A view is what the template draws.
type view struct {
	*Input
	Assets files

	Verdict         verdict
	Curve           *curve
	Lines           []stateLine
	Models, Clients table
	Last            []proxy.FailureRecord
}

var sheet = template.Must(template.New("page").Funcs(template.FuncMap{
	"amount": amount, "rounded": rounded, "grouped": grouped, "percent": percentText, "spent": spent,
	"clock": clock, "second": second, "bare": bare, "lasted": lasted, "unixMicro": unixMicro, "origin": origin,
}).Parse(html))

// A file is one that the page loads. Its path changes with it, so that browsers may keep it.
type file struct {
	Path string
	kind string
	body []byte
}

type files struct{ Style, Script, Icon file }

var assets = sync.OnceValue(func() files {
	of := func(name, kind, body string) file {
		sum := sha256.Sum256([]byte(body))
		return file{"/page/" + hex.EncodeToString(sum[:6]) + "/" + name, kind, []byte(body)}
	}
	return files{
		Style:  of("page.css", "text/css; charset=utf-8", reference.Style+style),
		Script: of("page.js", "text/javascript; charset=utf-8", script),
		Icon:   of("icon.svg", "image/svg+xml", icon),
	}
})

// ServeFile answers a request for a file that the page loads.
func ServeFile(w http.ResponseWriter, r *http.Request) {
	all := assets()
	for _, f := range []file{all.Style, all.Script, all.Icon} {
		if r.URL.Path == f.Path {
			h := w.Header()
			h.Set("Content-Type", f.kind)
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("X-Content-Type-Options", "nosniff")
			io.Copy(w, bytes.NewReader(f.body)) //nolint:errcheck // the caller has gone
			return
		}
	}
	http.NotFound(w, r)
}
