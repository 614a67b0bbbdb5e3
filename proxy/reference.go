package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/neuronward/neuronward/normalize"
)

// The error reference on the app listener: every doc_url of an envelope leads
// here. It is HTML for a browser, text for curl, JSON for everything else.

var referenceRoutes = []route{
	{name: "errors", method: http.MethodGet, answer: (*Proxy).answerReference, local: true},
	{name: "errors", method: http.MethodHead, answer: (*Proxy).answerReference, local: true},
}

// belowErrors returns what follows /errors/ in a path, and whether the path is
// the reference's at all.
func belowErrors(path string) (topic string, ok bool) {
	if path == "/errors" {
		return "", true
	}
	return strings.CutPrefix(path, "/errors/")
}

func (p *Proxy) answerReference(x *exchange) error {
	entries := normalize.Catalog()
	if x.rest != "" {
		code, ok := normalize.Lookup(x.rest)
		if !ok {
			return refuse(normalize.RouteNotProxied, "The error reference has no entry "+quoted(x.rest)+". All are listed under /errors.", "")
		}
		entries = []normalize.Entry{*code.Entry()}
	}
	kind, body, err := renderReference(entries, x.rest != "", x.inbound)
	if err != nil {
		return err
	}
	h := x.writer.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", referencePolicy)
	h.Set("Vary", "Accept, User-Agent")
	h["X-Request-Id"], h["Request-Id"] = []string{x.requestID}, []string{x.requestID}
	_, err = x.writer.Write(body)
	return err
}

func renderReference(entries []normalize.Entry, single bool, r *http.Request) (kind string, body []byte, err error) {
	var b bytes.Buffer
	accept := r.Header.Get("Accept")
	switch {
	case prefers(accept, "text/html", "json"):
		err = referencePage.Execute(&b, struct {
			Single  bool
			Style   template.CSS
			Entries []normalize.Entry
		}{single, referenceStyle, entries})
		return "text/html; charset=utf-8", b.Bytes(), err
	case strings.Contains(accept, "text/plain"),
		!strings.Contains(accept, "json") && strings.HasPrefix(r.UserAgent(), "curl/"):
		writeReferenceText(&b, entries, single)
		return "text/plain; charset=utf-8", b.Bytes(), nil
	}
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if single {
		err = enc.Encode(entries[0])
	} else {
		err = enc.Encode(entries)
	}
	return "application/json", b.Bytes(), err
}

// prefers reports whether an Accept header names the one kind, and before the
// other: clients put first what they want.
func prefers(accept, one, other string) bool {
	i, j := strings.Index(accept, one), strings.Index(accept, other)
	return i >= 0 && (j < 0 || i < j)
}

func writeReferenceText(b *bytes.Buffer, entries []normalize.Entry, single bool) {
	if !single {
		table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for i := range entries {
			e := &entries[i]
			fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\n", e.Number, e.Slug, e.Status, e.Retry, e.Fault)
		}
		_ = table.Flush() // into memory
		b.WriteString("\nOne of them: /errors/NAME or /errors/NUMBER\n")
		return
	}
	e := &entries[0]
	fmt.Fprintf(b, "%s\n\n", e.Slug)
	for _, row := range referenceRows(e) {
		fmt.Fprintf(b, "%-14s %s\n", row.Name+":", row.Text)
	}
}

type referenceRow struct{ Name, Text string }

// referenceRows is an entry as people read it.
func referenceRows(e *normalize.Entry) []referenceRow {
	number := strconv.Itoa(e.Number)
	if len(e.Aliases) > 0 {
		aliases := make([]string, len(e.Aliases))
		for i, a := range e.Aliases {
			aliases[i] = strconv.Itoa(a)
		}
		number += ", also " + strings.Join(aliases, ", ")
	}
	retry := string(e.Retry)
	if e.Retry == normalize.RetryAfterDelay {
		retry += ", " + text(e.Delay)
	}
	return []referenceRow{
		{"number", number},
		{"HTTP status", strconv.Itoa(e.Status)},
		{"type", string(e.Type)},
		{"means", e.Summary},
		{"mended by", string(e.Fault)},
		{"what to do", e.Action},
		{"retry", retry},
		{"by itself", e.Automatic},
		{"on the wire", e.Wire},
		{"source", string(e.Source)},
	}
}

const referenceStyle = template.CSS(`
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8885}
.wide{overflow-x:auto}
`)

// referencePolicy lets the page's own style in and nothing else.
var referencePolicy = func() string {
	sum := sha256.Sum256([]byte(referenceStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var referencePage = template.Must(template.New("reference").Funcs(template.FuncMap{"rows": referenceRows}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{if .Single}}{{(index .Entries 0).Slug}} · {{end}}neuronward errors</title>
<style>{{.Style}}</style>
{{if .Single}}{{range .Entries}}<p><a href="/errors">All errors</a></p>
<h1><code>{{.Slug}}</code></h1>
<div class="wide"><table>
{{range rows .}}<tr><th scope="row">{{.Name}}</th><td>{{.Text}}</td></tr>
{{end}}</table></div>
{{end}}{{else}}<h1>Errors</h1>
<p>Every failure that this proxy answers is one of these. <code>error.name</code> in the answer is the name here.</p>
<div class="wide"><table>
<tr><th scope="col">name</th><th scope="col">number</th><th scope="col">status</th><th scope="col">retry</th><th scope="col">mended by</th><th scope="col">means</th></tr>
{{range .Entries}}<tr id="{{.Slug}}"><td><a href="/errors/{{.Slug}}"><code>{{.Slug}}</code></a></td><td>{{.Number}}</td><td>{{.Status}}</td><td>{{.Retry}}</td><td>{{.Fault}}</td><td>{{.Summary}}</td></tr>
{{end}}</table></div>
{{end}}</html>
`))
