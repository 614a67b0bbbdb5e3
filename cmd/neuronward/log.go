package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
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

// logGrace is how long the log's reader may keep a process that is to end.
const logGrace = time.Second

// limitLogAtEnd lets a log that nobody reads keep the process for logGrace at most, from the second signal on, or when
// the drain time is over after the first one. Until then no line is lost. It lasts until ctx ends.
func (in *invocation) limitLogAtEnd(ctx context.Context, drain time.Duration) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
		case <-time.After(drain):
		case <-ctx.Done():
			return
		}
		in.batch.LimitWaits(logGrace)
	}()
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
