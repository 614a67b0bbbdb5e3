package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/neuronward/neuronward/normalize"
)

// Style is the style sheet of every page of neuronward's.
//
//go:embed style.css
var Style string

//go:embed reference.html
var layout string

// A Request asks for the reference.
type Request struct {
	Topic     string // what names an entry or some, as Find reads it, or "" for all
	Filter    string // of all, those that it names, or that have its words; "" for all
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

// A sheet is what is shown: one entry, or a list of them.
type sheet struct {
	Home    string
	Style   template.CSS
	Entry   *normalize.Entry
	Example string // an answer with the entry
	Entries []normalize.Entry
	All     int
	Filter  string // what was looked for
	As      string // what that was taken for
}

// Render returns what r asks for: HTML for a browser, text for curl, JSON for everything else. ok reports whether there
// is such an entry.
func Render(r Request) (p Page, ok bool, err error) {
	s := sheet{Home: r.Home, Style: template.CSS(Style), Entries: normalize.Catalog()} //nolint:gosec // our own file
	s.All, s.Filter = len(s.Entries), strings.TrimSpace(r.Filter)
	for i, e := range s.Entries {
		s.Entries[i] = e.Named(r.Setting)
	}
	if r.Topic != "" {
		found := Find(r.Topic)
		switch len(found.Codes) {
		case 0:
			return Page{}, false, nil
		case 1:
			entry := found.Codes[0].Entry().Named(r.Setting)
			s.Entry, s.Example = &entry, example(&entry, r.Setting)
		default:
			s.Filter = r.Topic
		}
	}
	if s.Entry == nil && s.Filter != "" {
		s.Filter = s.Filter[:min(len(s.Filter), maxFilter)]
		s.Entries, s.As = filter(s.Entries, s.Filter)
		s.Filter = normalize.RedactLikely(s.Filter) // people paste lines that hold keys
	}
	var b bytes.Buffer
	switch {
	case Prefers(r.Accept, "text/html", "json"):
		p.ContentType = "text/html; charset=utf-8"
		err = page().Execute(&b, s)
	case strings.Contains(r.Accept, "text/plain"),
		!strings.Contains(r.Accept, "json") && strings.HasPrefix(r.UserAgent, "curl/"):
		p.ContentType = "text/plain; charset=utf-8"
		s.writeText(&b)
	default:
		p.ContentType = "application/json"
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if s.Entry != nil {
			err = enc.Encode(s.Entry)
		} else {
			err = enc.Encode(append([]normalize.Entry{}, s.Entries...)) // [] rather than null
		}
	}
	p.Body = b.Bytes()
	return p, true, err
}

// example is an answer with an entry, as an app gets it.
func example(e *normalize.Entry, setting normalize.SettingName) string {
	f := normalize.Failure{Code: e.Code, Model: "@cf/meta/llama-3.1-8b-instruct-fp8", RequestID: "…"}
	f = f.Resolved()
	if f.Origin == normalize.OriginUpstream {
		f.Upstream = &normalize.Upstream{Status: e.Status, Message: f.Message, RequestID: "…", Ray: "…"}
		if e.Number < normalize.FirstOwnNumber {
			f.Upstream.Code, f.MatchedBy = e.Number, normalize.MatchedCode
		}
	}
	f.NameSettings(setting)
	var b bytes.Buffer
	if err := json.Indent(&b, f.Append(nil), "", "  "); err != nil {
		return ""
	}
	return b.String()
}

// Vary is the header of that name for every Page.
const Vary = "Accept, User-Agent"

// Prefers reports whether an Accept header names the one kind, and before the
// other: clients put first what they want.
func Prefers(accept, one, other string) bool {
	i, j := strings.Index(accept, one), strings.Index(accept, other)
	return i >= 0 && (j < 0 || i < j)
}

// Policy returns the Content-Security-Policy of every Page: its own style and its filter, and nothing else.
func Policy() string { return policy() }

var policy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(Style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
})

func (s *sheet) writeText(b *bytes.Buffer) {
	if e := s.Entry; e != nil {
		fmt.Fprintf(b, "%s\n\n%s\n\n", e.Slug, e.Summary)
		for _, row := range Rows(e) {
			fmt.Fprintf(b, "%-15s %s\n", row.Name+":", row.Text)
		}
		fmt.Fprintf(b, "\n%s\n", s.Example)
		return
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i := range s.Entries {
		e := &s.Entries[i]
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", e.Slug, numbers(e), e.Status, RetryRule(e), e.Fault)
	}
	_ = table.Flush() // into memory
	b.WriteString("\nOne of them: /errors/NAME or /errors/NUMBER. Some of them: /errors?q=WORDS\n")
}

// page is parsed when it is asked for first.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("reference").Funcs(template.FuncMap{
		"rows":    func(e *normalize.Entry) []Row { return Rows(e)[1:] }, // the first is shown apart
		"numbers": func(e normalize.Entry) string { return numbers(&e) },
		"retry":   func(e normalize.Entry) string { return RetryRule(&e) },
	}).Parse(layout))
})
