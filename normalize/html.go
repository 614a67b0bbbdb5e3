package normalize

import (
	"bytes"
	"strings"
)

// A page is what an HTML answer says about itself.
type page struct {
	code   int    // an edge code such as 1015
	status int    // the status that the page names
	ray    string // Ray ID
	text   string // the title or the headings, one line
}

// tags that an HTML answer may begin with.
var tags = []string{
	"<!doctype", "<html", "<head", "<body", "<title", "<h1", "<h2", "<center", "<!--", "<div", "<p>",
	"<meta", "<style", "<script",
}

// isHTML reports whether body begins like a page.
func isHTML(body []byte) bool {
	if len(body) == 0 || body[0] != '<' {
		return false
	}
	for _, t := range tags {
		if len(body) >= len(t) && foldEqual(body[:len(t)], t) {
			return true
		}
	}
	return false
}

// foldEqual reports whether b is s, which is lower case, in whatever case.
func foldEqual(b []byte, s string) bool {
	for i := range s {
		if c := b[i]; c != s[i] && (c < 'A' || c > 'Z' || c|0x20 != s[i]) {
			return false
		}
	}
	return true
}

// readPage reads the number that a page of the edge shows: in its element cf-error-code, as "error code NNNN"
// or "Error NNNN", or as "NNN: …" or "NNN …" in the title.
func readPage(body []byte) page {
	text := plain(stripTags(body))
	lower := strings.ToLower(text)
	p := page{text: text}
	if _, rest, ok := bytes.Cut(body, []byte("cf-error-code")); ok {
		if _, rest, ok = bytes.Cut(rest, []byte(">")); ok {
			n, _ := digits(strings.TrimSpace(string(rest[:min(len(rest), 16)])))
			p.number(n)
		}
	}
	for _, word := range []string{"error code:", "error code ", "error "} {
		for rest := lower; p.code == 0 && p.status == 0; {
			var ok bool
			if _, rest, ok = strings.Cut(rest, word); !ok {
				break
			}
			n, _ := digits(strings.TrimLeft(rest, " "))
			p.number(n)
		}
	}
	if p.code == 0 && p.status == 0 {
		p.status = titleStatus(text)
	}
	if _, rest, ok := strings.Cut(lower, "ray id:"); ok {
		if id, _, _ := strings.Cut(strings.TrimSpace(rest), " "); len(id) >= 16 && len(id) <= 32 && hexDashes(id) {
			p.ray = id
		}
	}
	return p
}

func (p *page) number(n int) {
	switch {
	case 400 <= n && n <= 599:
		p.status = n
	case 1000 <= n && n <= 1999:
		p.code = n
	}
}

// titleStatus finds the first "NNN: …", "NNN …" or "| NNN" of a page that is an HTTP error status.
func titleStatus(text string) int {
	words := strings.Fields(text)
	for i, w := range words {
		if i > 24 {
			break
		}
		if s := statusCode(strings.TrimRight(w, ":")); s != 0 && i+1 < len(words) && letter(words[i+1][0]) {
			return s
		}
	}
	return 0
}

// stripTags returns the text of a page without its elements, styles and scripts.
func stripTags(body []byte) string {
	var b strings.Builder
	for len(body) > 0 && b.Len() < 4*maxMessage {
		open := bytes.IndexByte(body, '<')
		if open < 0 {
			b.Write(body)
			break
		}
		b.Write(body[:open])
		b.WriteByte(' ')
		body = body[open:]
		for _, skip := range [...]string{"style", "script"} {
			if len(body) > len(skip) && foldEqual(body[1:1+len(skip)], skip) {
				if end := bytes.Index(body, []byte("</")); end >= 0 {
					body = body[end:]
				}
			}
		}
		end := bytes.IndexByte(body, '>')
		if end < 0 {
			break
		}
		body = body[end+1:]
	}
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&bull;", " ",
		"&nbsp;", " ").Replace(b.String())
}
