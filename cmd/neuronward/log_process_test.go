package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A log that nobody reads keeps calls, since no line is lost, but not the end of the process: neither at a second
// signal nor after the drain time.
func TestProcessEndsThoughNobodyReadsItsLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, drain string
		signals     int
	}{
		{"a second signal", "1h", 2},
		{"one signal", "1s", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, stderr := startUnread(t, "NEURONWARD_DRAIN="+c.drain)
			p.fillLog()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			p.signal()
			p.until("not ready after the first signal", func() bool {
				res, err := client.Get(p.admin + "/readyz")
				if err != nil {
					return true // it has ended
				}
				res.Body.Close()
				return res.StatusCode == http.StatusServiceUnavailable
			})
			if c.signals > 1 {
				p.signal()
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				p.cmd.Wait() //nolint:errcheck // the exit code says it
			}()
			select {
			case <-ended:
				equal(t, "exit", p.cmd.ProcessState.ExitCode(), exitFailed)
			case <-time.After(time.Minute):
				t.Errorf("the process lives a minute after %d signals, want it to end", c.signals)
				p.cmd.Process.Kill()
				<-ended
			}
			stderr.Close()
		})
	}
}

// startUnread starts the demo with a pipe as its stderr, of which nothing is read once it listens.
func startUnread(t *testing.T, environ ...string) (*process, *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t}
	ctx, cancel := context.WithTimeout(context.Background(), processLimit)
	t.Cleanup(cancel)
	p.cmd = exec.CommandContext(ctx, "neuronward", "demo")
	p.cmd.Env = append([]string{
		"NEURONWARD_LISTEN=127.0.0.1:0", "NEURONWARD_ADMIN_LISTEN=127.0.0.1:0", quickExit,
	}, environ...)
	p.cmd.Stderr = write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	line := map[string]any{}
	for lines := bufio.NewScanner(read); line["msg"] != "listening"; {
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil {
			t.Fatalf("stderr: got %q, want the line that it listens", lines.Text())
		}
	}
	p.app, p.admin = "http://"+line["listen"].(string), "http://"+line["admin_listen"].(string)
	return p, read
}

// fillLog makes calls until their log lines have filled all memory there is for them: no call is answered for a while.
func (p *process) fillLog() {
	p.t.Helper()
	const while = 5 * time.Second
	var last atomic.Int64 // when a call was answered
	last.Store(time.Now().UnixNano())
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
			defer client.CloseIdleConnections()
			for time.Since(time.Unix(0, last.Load())) < while {
				res, err := client.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(streamCall))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err == nil {
					last.Store(time.Now().UnixNano())
				}
			}
		})
	}
	group.Wait()
}
