package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/jsonlog"
)

// newLogger returns a logger that writes to w: text or JSON, UTC times, from level on. The format auto is short lines
// where terminal is true, else JSON. w must be a redacting writer; flush is called after warnings and errors in JSON.
func newLogger(w io.Writer, level, format string, terminal bool, flush func() error) *slog.Logger {
	var minLevel slog.Level
	if err := minLevel.UnmarshalText([]byte(level)); err != nil {
		minLevel = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: minLevel, ReplaceAttr: utc}
	switch {
	case format == "text":
		return slog.New(slog.NewTextHandler(w, o))
	case format == "auto" && terminal:
		return slog.New(newLineHandler(w, minLevel))
	}
	return slog.New(jsonlog.New(w, slog.NewJSONHandler(w, o), flush))
}

// utc writes a record's time in UTC to the millisecond.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.String(slog.TimeKey, t.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
	return a
}

// isTerminal reports whether w is a terminal, or another device that no machine reads.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
