package tracing

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One line a minute at most, however much is lost, and no loss is left out.
func TestLossesAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := newLosses(slog.New(slog.NewTextHandler(&log, nil)), "lost")
		for range 180 {
			l.add(2, errors.New("refused"))
			time.Sleep(time.Second)
		}
		l.report(nil)
		for _, want := range []string{"count=2 error=refused\n", "count=120 error=refused\n", "count=118\n"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("got\n%swant %q in it", log.String(), want)
			}
		}
		if got := strings.Count(log.String(), "\n"); got != 4 {
			t.Errorf("got %d lines in 3 minutes, want 4:\n%s", got, log.String())
		}
		if got := l.total.Load(); got != 360 {
			t.Errorf("got %d in all, want 360", got)
		}
	})
}
