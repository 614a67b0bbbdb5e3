package deploytest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxWait is how long anything may take on a machine that has much else to do.
const maxWait = 5 * time.Minute

// scratch is a directory that ends with the tests.
var scratch string

// binary builds the product once, and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "neuronward")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/neuronward")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "neuronward"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch) //nolint:errcheck // nothing depends on it
	os.Exit(status)
}

// A process is a program that runs beside the tests and ends with one.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	lines  chan string // of both outputs; closed when it has ended
	output bytes.Buffer
}

// launch starts a program with nothing but these variables. Its output is shown when the test fails.
func launch(t *testing.T, environ []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(name), lines: make(chan string, 1024)}
	p.cmd = exec.CommandContext(context.Background(), name, args...)
	p.cmd.Env = append([]string{}, environ...)
	p.cmd.SysProcAttr = diesWithUs()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		t.Fatalf("these tests need %s; .ci/install installs it: %v", p.name, err)
	}
	go func() {
		defer close(p.lines)
		defer read.Close()
		for s := bufio.NewScanner(read); s.Scan(); {
			fmt.Fprintln(&p.output, s.Text())
			select {
			case p.lines <- s.Text():
			default: // nobody awaits the lines of a thousand calls
			}
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// await reads lines of output up to one that found accepts.
func (p *process) await(what string, found func(line string) bool) {
	p.t.Helper()
	end := time.After(maxWait)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended, want first that %s", p.name, what)
			}
			if found(line) {
				return
			}
		case <-end:
			p.t.Fatalf("%s did not say within %v, want it to, that %s", p.name, maxWait, what)
		}
	}
}

// kill ends the process at once. It may be called again.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself
	for range p.lines {
	}
	p.cmd.Wait() //nolint:errcheck // that it was killed
	if p.t.Failed() {
		tail := p.output.Bytes()
		if maxTail := 2 << 10; len(tail) > maxTail {
			tail = tail[len(tail)-maxTail:]
		}
		p.t.Logf("the end of what %s said:\n%s", p.name, tail)
	}
}

// until waits until ok says so.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(maxWait); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v, want it sooner", what, maxWait)
		}
	}
}

// startRedis starts a Redis server on a socket of its own and returns the URL for NEURONWARD_STORE.
func startRedis(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	p := launch(t, nil, "redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "")
	p.await("it takes connections", func(line string) bool { return strings.Contains(line, "accept connections at") })
	return "unix://" + socket
}
