package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// RedactedMark replaces a secret.
	RedactedMark = "[redacted]"

	// minDerived is the length in bytes from which the encoded forms of a secret are replaced too: those of a shorter
	// one are a few letters that ordinary words contain.
	minDerived = 8
)

// A Redactor knows every secret that this process has read. It is safe for concurrent use. It forgets no secret: a line
// about the old token may be written after the new one is read.
type Redactor struct {
	mu      sync.Mutex
	needles atomic.Pointer[[][]byte]
}

// Add makes the redactor know secret in all its forms. An empty one is ignored.
func (r *Redactor) Add(secret string) {
	if secret == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := slices.Clone(r.load())
	for _, form := range forms(secret) {
		if !slices.ContainsFunc(next, func(n []byte) bool { return string(n) == form }) {
			next = append(next, []byte(form))
		}
	}
	slices.SortFunc(next, func(a, b []byte) int { return len(b) - len(a) })
	r.needles.Store(&next)
}

func (r *Redactor) load() [][]byte {
	if p := r.needles.Load(); p != nil {
		return *p
	}
	return nil
}

// forms lists the ways in which secret may be written: as it is, escaped for URLs, JSON, HTML and Go, and in base64 at
// each of the three alignments that it can have inside a longer text.
func forms(secret string) []string {
	all := []string{secret}
	if len(secret) < minDerived {
		return all
	}
	quoted, err := json.Marshal(secret)
	if err != nil { // a string always marshals
		quoted = []byte(`""`)
	}
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if enc.Encode(secret) != nil {
		plain.Reset()
	}
	all = append(
		all,
		url.QueryEscape(secret),
		url.PathEscape(secret),
		template.HTMLEscapeString(secret),
		strings.ReplaceAll(template.HTMLEscapeString(secret), "+", "&#43;"), // as html/template has it
		strings.Trim(string(quoted), `"`),
		strings.Trim(strings.TrimSpace(plain.String()), `"`),
		strings.Trim(strconv.Quote(secret), `"`),
	)
	for pad := range 3 {
		text := append(make([]byte, pad), secret...)
		// Only the characters that depend on the secret alone: the first and the last may mix with what is around it.
		first, last := (pad*8+5)/6, (pad+len(secret))*8/6
		all = append(
			all,
			base64.RawStdEncoding.EncodeToString(text)[first:last],
			base64.RawURLEncoding.EncodeToString(text)[first:last],
		)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// Writer returns a writer that writes to w what is written to it, with every secret replaced. A secret that is split
// over several writes is found: what may be its beginning is held until the next write, or until Flush.
func (r *Redactor) Writer(w io.Writer) *RedactingWriter {
	return &RedactingWriter{r: r, w: w}
}

// A RedactingWriter is made by Redactor.Writer and is safe for concurrent use.
type RedactingWriter struct {
	r    *Redactor
	mu   sync.Mutex
	w    io.Writer
	held []byte
}

// Write implements io.Writer. It returns len(p) when all was written or is held.
func (w *RedactingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	needles := w.r.load()
	if len(needles) == 0 && len(w.held) == 0 {
		return w.w.Write(p)
	}
	text := p
	if len(w.held) > 0 {
		text = append(w.held, p...)
	}
	out, rest := redact(text, needles)
	keep := beginning(rest, needles)
	if len(out) == 0 { // nothing was replaced, as in nearly every line
		out = rest[:len(rest)-keep]
	} else {
		out = append(out, rest[:len(rest)-keep]...)
	}
	w.held = slices.Clone(rest[len(rest)-keep:])
	if len(out) > 0 {
		if _, err := w.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Flush writes what is held.
func (w *RedactingWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.w.Write(w.held)
	w.held = nil
	return err
}

// redact replaces the needles in text. It returns the text up to the last of them, replaced, and the rest.
func redact(text []byte, needles [][]byte) (out, rest []byte) {
	rest = text
	for {
		at, size := -1, 0
		for _, n := range needles { // longest first: of two at one position the longer one is replaced
			if i := bytes.Index(rest, n); i >= 0 && (at < 0 || i < at) {
				at, size = i, len(n)
			}
		}
		if at < 0 {
			return out, rest
		}
		out = append(append(out, rest[:at]...), RedactedMark...)
		rest = rest[at+size:]
	}
}

// beginning returns the length of the longest end of text that a needle begins with. No needle has a newline in it, so
// a whole line is never held.
func beginning(text []byte, needles [][]byte) int {
	if len(text) > 0 && text[len(text)-1] == '\n' {
		return 0
	}
	longest := 0
	for _, n := range needles {
		for k := min(len(n)-1, len(text)); k > longest; k-- {
			if bytes.Equal(text[len(text)-k:], n[:k]) {
				longest = k
				break
			}
		}
	}
	return longest
}
