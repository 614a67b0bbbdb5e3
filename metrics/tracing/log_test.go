package tracing_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// logHandler keeps what is logged, a line each.
type logHandler struct {
	mu   sync.Mutex
	text string
}

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text += r.Message
	r.Attrs(func(a slog.Attr) bool {
		h.text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	h.text += "\n"
	return nil
}

func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *logHandler) WithGroup(string) slog.Handler      { return h }

// count returns how many lines have a text in them.
func (h *logHandler) count(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for line := range strings.Lines(h.text) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
