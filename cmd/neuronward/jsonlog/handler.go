package jsonlog

import (
	"context"
	"io"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"
)

// A Handler is a slog.Handler of one line of JSON a record. Records with values or texts that need more than copying
// are left to another handler.
type Handler struct {
	to    io.Writer
	other slog.Handler
	flush func() error // of to
	lines sync.Pool    // of *[]byte
}

// New returns a handler that writes each line to w in one write, and has it flushed after a warning or worse. other
// writes the same lines to w, with times in UTC to the millisecond; it says which levels are written.
func New(w io.Writer, other slog.Handler, flush func() error) *Handler {
	return &Handler{to: w, other: other, flush: flush}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.other.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.other.WithAttrs(attrs) }

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler { return h.other.WithGroup(name) }

// Handle implements slog.Handler. It keeps nothing of the record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) (err error) {
	memory, ok := h.lines.Get().(*[]byte)
	if !ok {
		memory = new([]byte)
	}
	line, ok := appendRecord((*memory)[:0], &r)
	if ok {
		_, err = h.to.Write(line)
	} else {
		err = h.other.Handle(ctx, r)
	}
	*memory = line
	h.lines.Put(memory)
	if r.Level >= slog.LevelWarn {
		_ = h.flush() // who logs cannot do anything about it
	}
	return err
}

// appendRecord appends the line of a record, and reports whether all of it could be copied.
func appendRecord(line []byte, r *slog.Record) (_ []byte, ok bool) {
	at := r.Time.UTC()
	if r.Time.IsZero() || !isPlain(r.Message) {
		return line, false
	}
	line = append(line, `{"time":"`...)
	line = at.AppendFormat(line, time.RFC3339)
	ms := at.Nanosecond() / int(time.Millisecond)
	line = append(line[:len(line)-1], '.', digit(ms/100), digit(ms/10%10), digit(ms%10))
	line = append(append(line, `Z","level":"`...), r.Level.String()...)
	line = append(append(append(line, `","msg":"`...), r.Message...), '"')
	ok = true
	r.Attrs(func(a slog.Attr) bool {
		line, ok = appendAttr(line, a)
		return ok
	})
	return append(line, "}\n"...), ok
}

func digit(n int) byte { return '0' + byte(n) }

func appendAttr(line []byte, a slog.Attr) (_ []byte, ok bool) {
	kind := a.Value.Kind()
	if kind == slog.KindGroup && a.Key == "" { // its attributes are those of the record
		for _, a := range a.Value.Group() {
			if line, ok = appendAttr(line, a); !ok {
				return line, false
			}
		}
		return line, true
	}
	if !isPlain(a.Key) {
		return line, false
	}
	line = append(append(append(line, `,"`...), a.Key...), `":`...)
	switch kind {
	case slog.KindString:
		text := a.Value.String()
		return append(append(append(line, '"'), text...), '"'), isPlain(text)
	case slog.KindInt64:
		return strconv.AppendInt(line, a.Value.Int64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(line, a.Value.Bool()), true
	case slog.KindFloat64:
		f := a.Value.Float64()
		abs := math.Abs(f)
		ok = abs == 0 || abs >= 1e-6 && abs < 1e21 // others have an exponent
		return strconv.AppendFloat(line, f, 'f', -1, 64), ok
	}
	return line, false
}

// isPlain reports whether a text is written in JSON as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
