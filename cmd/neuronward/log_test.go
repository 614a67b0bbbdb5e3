package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/jsonlog"
)

// A fake token with characters that each encoding writes differently.
const oddToken = `fake+token/with "odd" <chars>&\32`

// flushed is for writers that keep nothing.
func flushed() error { return nil }

func TestLogIsRedactedInEveryFormat(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		red := new(config.Redactor)
		red.Add(oddToken)
		var out bytes.Buffer
		log := newLogger(red.Writer(&out), "debug", format, false, flushed)
		log.Debug("message "+oddToken, "attr", oddToken, "any", struct{ Token string }{oddToken},
			slog.Group("g", "b", []string{oddToken}))
		equal(t, format+": secrets replaced", strings.Count(out.String(), config.RedactedMark), 4)
		lacks(t, format, out.String(), "odd")
	}
}

func TestLogFormatAndLevel(t *testing.T) {
	cases := []struct {
		name, level, format string
		terminal            bool
		want                string // the beginning of what is written at info, "" nothing
	}{
		{"text", "info", "text", true, "time="},
		{"JSON elsewhere", "info", "auto", false, `{"time":"`},
		{"text everywhere", "info", "text", false, "time="},
		{"JSON everywhere", "info", "json", true, `{"time":"`},
		{"too quiet", "warn", "json", false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			newLogger(&out, c.level, c.format, c.terminal, flushed).Info("hello")
			got := out.String()
			if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("wrote %q, want it to begin with %q", got, c.want)
			}
			if c.want != "" && !strings.Contains(got, `Z`) {
				t.Errorf("got %s, want the time in UTC", got)
			}
		})
	}
}

// On a terminal the line of a call fits 160 columns, whatever its caller wrote, and other lines are whole.
func TestLinesOnATerminal(t *testing.T) {
	long := strings.Repeat("x", 400)
	ok := []any{
		"request_id", "01JABC", "client", "team", "route", "v1/chat/completions", "model", "@cf/meta/m", "stream", true,
		"status", 200, "attempts", 1, "first_byte_ms", 3.5, "duration_ms", 1234.567, "neurons", "12.5",
	}
	for _, c := range []struct {
		name, message string
		level         slog.Level
		attrs         []any
		want          string // after the time; "": a call's line, cut
	}{
		{"call", "call", slog.LevelInfo, ok, "INFO  200 @cf/meta/m 1.235s 12.5n 01JABC client=team"},
		{
			"call in observe mode", "call", slog.LevelInfo, append(slices.Clip(ok), "would_refuse", "rate"),
			"INFO  200 @cf/meta/m 1.235s 12.5n 01JABC client=team would_refuse=rate",
		},
		{
			"failed call", "call failed", slog.LevelWarn, []any{
				"request_id", "01JABC", "client", "team", "model", "", "status", 404, "name", "route_not_proxied",
				"message", "No such path.", "method", "GET", "path", "/v2/models", "duration_ms", 0.2,
			}, "WARN  404 GET /v2/models route_not_proxied 0s 01JABC client=team No such path.",
		},
		{
			"a caller's long strings", "call failed", slog.LevelError, []any{
				"request_id", long, "client", "team", "model", long, "status", 502, "name", "upstream_internal_error",
				"message", long, "duration_ms", 123456.7, "neurons", "123456.789012",
			}, "",
		},
		{
			"a caller's control characters", "call", slog.LevelInfo,
			[]any{"request_id", "a\nb", "model", "\x1b[2J…é\"", "status", 200, "duration_ms", 1.0},
			`INFO  200 \x1b[2J…\u00e9" 1ms a\nb`,
		},
		{
			"another line", "listening", slog.LevelInfo,
			[]any{"listen", "127.0.0.1:3036", "warning", long + " y", "n", ""},
			`INFO  listening listen=127.0.0.1:3036 warning="` + long + ` y" n=""`,
		},
	} {
		var out bytes.Buffer
		newLogger(&out, "info", "auto", true, flushed).Log(context.Background(), c.level, c.message, c.attrs...)
		line, whole := strings.CutSuffix(out.String(), "\n")
		at := regexp.MustCompile(`^[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z `).FindString(line)
		if !whole || at == "" {
			t.Errorf("%s: got %q, want the time and one line", c.name, out.String())
		}
		if c.want != "" {
			equal(t, c.name, line[len(at):], c.want)
		} else if n := utf8.RuneCountInString(line); n > lineWidth || !strings.HasSuffix(line, "…") {
			t.Errorf("%s: got %d columns, want at most %d and the end cut: %s", c.name, n, lineWidth, line)
		}
	}
	var out bytes.Buffer
	log := newLogger(&out, "info", "auto", true, flushed).With("a", 1).WithGroup("g").With("b", 2)
	log.Debug("too quiet")
	log.Info("hello", "c", 3)
	contains(t, "groups", out.String(), " INFO  hello a=1 g.b=2 g.c=3\n")
	equal(t, "lines", strings.Count(out.String(), "\n"), 1)
}

// What a command prints comes behind what it has logged before.
func TestPrintedAfterTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var screen strings.Builder
		batch := jsonlog.NewBatch(slowWriter{&screen})
		_, _ = batch.Write([]byte("logged"))
		_, _ = io.WriteString(afterLog{&screen, batch}, ", printed")
		if got, want := screen.String(), "logged, printed"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A slowWriter takes a second for each write.
type slowWriter struct{ io.Writer }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return w.Writer.Write(p)
}
