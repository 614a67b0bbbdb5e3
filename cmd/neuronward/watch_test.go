package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
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

// Ctrl-C is how usage --watch is meant to end: exit 0, after a report and while it waits for one.
func TestUsageIsWatchedUntilCtrlC(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	proxy := start(t, []string{"NEURONWARD_STORE=memory:"}, "demo")
	for name, tt := range map[string]struct {
		addr  string
		await func(out io.Reader)
	}{
		"after a report": {proxy.admin, func(out io.Reader) {
			for s := bufio.NewScanner(out); s.Scan() && !strings.HasPrefix(s.Text(), "Neurons of "); {
			}
		}},
		"while the proxy is silent": {silent.URL, func(io.Reader) { <-asked }},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		c := exec.CommandContext(ctx, "neuronward", "usage", "--watch", "--addr", tt.addr)
		c.Env = []string{quickExit}
		var errs bytes.Buffer
		c.Stderr = &errs
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		tt.await(out)
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, out)
		c.Wait() //nolint:errcheck // the exit code says it
		cancel()
		equal(t, name+": exit code", c.ProcessState.ExitCode(), exitDone)
		equal(t, name+": stderr", errs.String(), "")
	}
}
