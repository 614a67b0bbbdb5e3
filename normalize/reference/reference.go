package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Style is the style sheet of every page of neuronward's.
//
//go:embed style.css
var Style string

//go:embed reference.html
var html string

// A Request asks for the reference.
type Request struct {
	Topic     string // slug or number of an entry, or "" for all
	Accept    string // its header
	UserAgent string // its header
	Home      string // path of the page that this one belongs to, "" for none

	Setting normalize.SettingName // how its texts name settings
}

// A Page is the reference, or one entry of it, in the form that was asked for.
type Page struct {
	ContentType string
	Body        []byte
}

// Render returns what r asks for: HTML for a browser, text for curl, JSON for
// everything else. ok reports whether there is such an entry.
func Render(r Request) (p Page, ok bool, err error) {
	all := normalize.Catalog()
	for i, e := range all {
		all[i] = e.Named(r.Setting)
	}
	var one *normalize.Entry
	if r.Topic != "" {
		code, ok := normalize.Lookup(r.Topic)
		if !ok {
			return Page{}, false, nil
		}
		entry := code.Entry().Named(r.Setting)
		one = &entry
	}
	var b bytes.Buffer
	switch {
	case Prefers(r.Accept, "text/html", "json"):
		p.ContentType = "text/html; charset=utf-8"
		err = sheet.Execute(&b, struct {
			Home    string
			Style   template.CSS
			Entry   *normalize.Entry
			Entries []normalize.Entry
		}{r.Home, template.CSS(Style), one, all}) //nolint:gosec // our own file
	case strings.Contains(r.Accept, "text/plain"),
		!strings.Contains(r.Accept, "json") && strings.HasPrefix(r.UserAgent, "curl/"):
		p.ContentType = "text/plain; charset=utf-8"
		if one != nil {
			writeEntry(&b, one)
		} else {
			writeTable(&b, all)
		}
	default:
		p.ContentType = "application/json"
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if one != nil {
			err = enc.Encode(one)
		} else {
			err = enc.Encode(all)
		}
	}
	p.Body = b.Bytes()
	return p, true, err
}

// Vary is the header of that name for every Page.
const Vary = "Accept, User-Agent"

// Prefers reports whether an Accept header names the one kind, and before the
// other: clients put first what they want.
func Prefers(accept, one, other string) bool {
	i, j := strings.Index(accept, one), strings.Index(accept, other)
	return i >= 0 && (j < 0 || i < j)
}

// Policy returns the Content-Security-Policy of every Page: its own style, and
// nothing else.
func Policy() string { return policy() }

var policy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(Style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

func writeTable(b *bytes.Buffer, entries []normalize.Entry) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i := range entries {
		e := &entries[i]
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\n", e.Number, e.Slug, e.Status, e.Retry, e.Fault)
	}
	_ = table.Flush() // into memory
	b.WriteString("\nOne of them: /errors/NAME or /errors/NUMBER\n")
}

func writeEntry(b *bytes.Buffer, e *normalize.Entry) {
	fmt.Fprintf(b, "%s\n\n", e.Slug)
	for _, row := range rows(e) {
		fmt.Fprintf(b, "%-14s %s\n", row.Name+":", row.Text)
	}
}

type row struct{ Name, Text string }

// rows is an entry as people read it.
func rows(e *normalize.Entry) []row {
	number := strconv.Itoa(e.Number)
	if len(e.Aliases) > 0 {
		aliases := make([]string, len(e.Aliases))
		for i, a := range e.Aliases {
			aliases[i] = strconv.Itoa(a)
		}
		number += ", also " + strings.Join(aliases, ", ")
	}
	return []row{
		{"number", number},
		{"HTTP status", strconv.Itoa(e.Status)},
		{"type", string(e.Type)},
		{"means", e.Summary},
		{"who can fix it", string(e.Fault)},
		{"what to do", e.Action},
		{"retry", retry(e)},
		{"by itself", e.Automatic},
		{"on the wire", e.Wire},
		{"source", string(e.Source)},
	}
}

// retry is the retry rule, with how long to wait.
func retry(e *normalize.Entry) string {
	if e.Retry != normalize.RetryAfterDelay {
		return string(e.Retry)
	}
	return string(e.Retry) + ", " + short(e.Delay)
}

// short is a duration for people: "1m", not "1m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	return s
}

var sheet = template.Must(template.New("reference").Funcs(template.FuncMap{
	"rows":  rows,
	"retry": func(e normalize.Entry) string { return retry(&e) },
}).Parse(html))
