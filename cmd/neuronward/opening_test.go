//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func namedPipe(t *testing.T) string {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	return pipe
}

// A step that never returns, as on a disk that hangs, does not keep the process from ending; one that ends in time has
// its result.
func TestAStartThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		opening, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := startOrLeave(opening, func() (int, error) { <-hung; return 1, nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("startOrLeave() = %v, want %v", err, context.DeadlineExceeded)
		}
		equal(t, "left after", time.Since(began), time.Minute+signalGrace)

		opening, cancel = context.WithCancel(t.Context())
		cancel()
		got, err := startOrLeave(opening, func() (int, error) { return 1, errCut })
		equal(t, "the result of a step that ends", got, 1)
		equal(t, "its error", err, errCut)
	})
}

// The binary at what never answers: a signal ends it at once, with the status of a process that was told to end;
// but a store that does not answer at the end is a failure.
func TestASignalEndsAStartThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections are accepted by the system, and never answered
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	at := silent.Addr().String()
	const account = "CLOUDFLARE_ACCOUNT_ID=" + hexAccount
	for name, c := range map[string]struct {
		environ []string
		pipe    string // a variable that names a pipe; "": none does
		await   string // a line of the log before the signal
		exit    int
	}{
		"a pipe as token":   {[]string{account}, "CLOUDFLARE_API_TOKEN_FILE", "", exitDone},
		"a pipe as clients": {[]string{account}, "NEURONWARD_CLIENTS_FILE", "", exitDone},
		"a Redis that is mute": {
			[]string{account, "NEURONWARD_STORE=redis://" + at + "/0"}, "", "the store", exitFailed,
		},
		"a catalog that is mute": {[]string{
			account, "CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_STORE=memory:", "NEURONWARD_PRICES=live",
			"NEURONWARD_UPSTREAM=http://" + at + "/client/v4",
		}, "", "listening", exitDone},
	} {
		for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
			t.Run(name+", "+sig.String(), func(t *testing.T) {
				t.Parallel()
				var p *process
				if c.pipe == "" {
					p = launch(t, c.environ)
					p.await(c.await)
				} else {
					pipe := namedPipe(t)
					p = launch(t, append([]string{c.pipe + "=" + pipe}, c.environ...))
					w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns once the process reads it
					if err != nil {
						t.Fatal(err)
					}
					defer w.Close()
				}
				began := time.Now()
				if err := p.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				p.ends(c.exit)
				if took := time.Since(began); took > time.Minute {
					t.Errorf("the end took %v, want about a second", took)
				}
			})
		}
	}
}

// A state file that is a pipe is an error at once.
func TestAPipeAsStateFile(t *testing.T) {
	t.Parallel()
	pipe := namedPipe(t)
	p := launch(t, []string{"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_STORE=file:" + pipe})
	p.ends(exitFailed)
	contains(t, "stderr", p.log.String(), "NEURONWARD_STORE: filestore: "+pipe+" is a pipe, not a regular file")
}
