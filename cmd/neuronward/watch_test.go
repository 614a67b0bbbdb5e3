package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// usage --watch asks every 2 s until it is ended, and goes on while the proxy is away.
func TestUsageIsWatched(t *testing.T) {
	const top = "\x1b[H\x1b[2J"
	for name, s := range map[string]screen{"a terminal": {drawn: true}, "a pipe": {}} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			asked := 0
			ctx, end := context.WithTimeout(t.Context(), 2*watchEvery+time.Second)
			defer end()
			code := (&invocation{stdout: &out, stderr: &out}).watch(ctx, s, func(context.Context) (usageReport, error) {
				if asked++; asked == 2 {
					return usageReport{}, errors.New("it is away")
				}
				return busyDay(), nil
			})
			equal(t, name+": exit code", code, exitDone)
			equal(t, name+": asked", asked, 3)
			equal(t, name+": reports", strings.Count(out.String(), "Neurons of 2026-11-23"), 2)
			contains(t, name, out.String(), "it is away\n")
			want := 0
			if s.drawn {
				want = 3
			}
			equal(t, name+": drawn in place", strings.Count(out.String(), top), want)
		})
	}
	var out bytes.Buffer
	code := (&invocation{stdout: &out, stderr: &out}).watch(t.Context(), screen{},
		func(context.Context) (usageReport, error) { return usageReport{}, errors.New("nothing there") })
	equal(t, "exit code where no proxy answers", code, exitFailed)
	contains(t, "where no proxy answers", out.String(), "nothing there")
}
