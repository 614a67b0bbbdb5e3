package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// lineWidth is how long the line of a call is on a terminal, in columns.
const lineWidth = 160

// A lineHandler writes records for people at a terminal: the line of a call fits lineWidth, every other one is whole.
type lineHandler struct {
	w     io.Writer
	mu    *sync.Mutex // one line at a time
	level slog.Level
	attrs []slog.Attr
	group string // with a dot, before the key of each attribute
}

func newLineHandler(w io.Writer, level slog.Level) *lineHandler {
	return &lineHandler{w: w, mu: new(sync.Mutex), level: level}
}

// Enabled reports whether records of this level are written.
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// WithAttrs returns a handler whose lines have attrs.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append(slices.Clip(h.attrs), h.named(attrs)...)
	return &next
}

// WithGroup returns a handler whose keys begin with name.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group += name + "."
	return &next
}

func (h *lineHandler) named(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		a.Key = h.group + a.Key
		out = append(out, a)
	}
	return out
}

// Handle writes one line.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "" && a.Value.Kind() == slog.KindGroup {
			attrs = append(attrs, a.Value.Group()...) // as slog's own handlers do
		} else {
			attrs = append(attrs, a)
		}
		return true
	})
	attrs = append(slices.Clip(h.attrs), h.named(attrs)...)
	var line bytes.Buffer
	fmt.Fprintf(&line, "%s %-5s", r.Time.UTC().Format("15:04:05.000Z"), r.Level)
	if call, ok := callLine(attrs); ok {
		line.WriteString(call)
	} else {
		line.WriteString(" " + plain(r.Message))
		for _, a := range attrs {
			line.WriteString(" " + a.Key + "=" + word(a.Value.String()))
		}
	}
	line.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line.Bytes())
	return err
}

// callLine returns what a line of lineWidth has room for after time and level, and whether the record is that of a
// call. Why a call failed comes last, and is cut.
func callLine(attrs []slog.Attr) (line string, ok bool) {
	of := make(map[string]string, len(attrs))
	for _, a := range attrs {
		of[a.Key] = a.Value.String()
	}
	if _, ok := of["duration_ms"]; !ok || of["status"] == "" {
		return "", false
	}
	place := of["model"]
	if place == "" {
		place = strings.TrimSpace(of["method"] + " " + of["path"])
	}
	var b strings.Builder
	left := lineWidth - len("15:04:05.000Z ERROR")
	add := func(text string) {
		if text != "" && 1+utf8.RuneCountInString(text) <= left {
			b.WriteString(" " + text)
			left -= 1 + utf8.RuneCountInString(text)
		}
	}
	add(fmt.Sprintf("%3s", plain(of["status"])))
	add(cut(plain(place), lineWidth/4))
	add(plain(of["name"]))
	if ms, err := strconv.ParseFloat(of["duration_ms"], 64); err == nil {
		add(time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond).String())
	}
	if n := plain(of["neurons"]); n != "" {
		add(n + "n")
	}
	add(cut(plain(of["request_id"]), lineWidth/4))
	for _, key := range []string{"client", "would_refuse"} {
		if value := plain(of[key]); value != "" {
			add(key + "=" + value)
		}
	}
	if message := plain(of["message"]); message != "" && left > lineWidth/8 {
		add(cut(message, left-1))
	}
	return b.String(), true
}

// word is a value in a line: in quotes where it is empty, or several words.
func word(s string) string {
	if s == "" || strings.ContainsAny(s, " \"=") {
		return strconv.Quote(s)
	}
	return plain(s)
}

// plain escapes what is no printable ASCII: callers choose names of models, and a terminal obeys control characters.
func plain(s string) string {
	quoted := strconv.QuoteToASCII(s)
	if len(quoted) == len(s)+2 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\u2026`, "…").Replace(quoted[1 : len(quoted)-1])
}

// cut shortens s to width characters.
func cut(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}
