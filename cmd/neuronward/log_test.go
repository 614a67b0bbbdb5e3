package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
)

// A fake token with characters that each encoding writes differently.
const oddToken = `fake+token/with "odd" <chars>&\32`

func TestLogIsRedactedInEveryFormat(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		red := new(config.Redactor)
		red.Add(oddToken)
		var out bytes.Buffer
		log := newLogger(red.Writer(&out), "debug", format, false)
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
		{"text on a terminal", "info", "auto", true, "time="},
		{"JSON elsewhere", "info", "auto", false, `{"time":"`},
		{"text everywhere", "info", "text", false, "time="},
		{"JSON everywhere", "info", "json", true, `{"time":"`},
		{"too quiet", "warn", "json", false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			newLogger(&out, c.level, c.format, c.terminal).Info("hello")
			if got := out.String(); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("wrote %q, want it to begin with %q", got, c.want)
			}
			if c.want != "" && !strings.Contains(out.String(), `Z`) {
				t.Errorf("got %s, want the time in UTC", out.String())
			}
		})
	}
}
