package sdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// build compiles the product and returns the path of its binary.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "neuronward")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/neuronward")
	cmd.Dir = filepath.Join("..", "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// A process is the binary at work. Its log says how many requests reached it.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string // of the app listener
	ended  chan struct{}
	stderr bytes.Buffer   // whole once ended is closed
	calls  map[string]int // log lines of calls by request id; complete once ended is closed
}

// start runs the binary with nothing but these variables, on ports of its own, and waits until it listens. The
// neuron guard is off: a spent allocation, once simulated, would stop the calls of all other cases.
func start(t *testing.T, bin, command string, environ ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{}), calls: make(map[string]int)}
	p.cmd = exec.CommandContext(t.Context(), bin, command)
	p.cmd.Env = append([]string{
		"NEURONWARD_LISTEN=127.0.0.1:0", "NEURONWARD_ADMIN_LISTEN=127.0.0.1:0", "NEURONWARD_RETRIES=0",
		"NEURONWARD_QUOTA_MODE=off", "NEURONWARD_PRICES=embedded", "NEURONWARD_RECONCILE=0",
		"NEURONWARD_RATE_LIMITS=off", "NEURONWARD_LOG_FORMAT=json",
	}, environ...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(p.ended)
		defer close(listening)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.stderr.Write(append(s.Bytes(), '\n'))
			var line struct {
				Message   string `json:"msg"`
				Scheme    string `json:"scheme"`
				Listen    string `json:"listen"`
				RequestID string `json:"request_id"`
				Route     string `json:"route"`
			}
			if json.Unmarshal(s.Bytes(), &line) != nil {
				continue
			}
			switch {
			case line.Message == "listening":
				listening <- line.Scheme + "://" + line.Listen
			case line.Route != "": // the one line of a call, however it ended
				p.calls[line.RequestID]++
			}
		}
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		p.cmd.Wait() //nolint:errcheck // it was killed, or stop has waited
		if t.Failed() {
			t.Logf("stderr of neuronward %s:\n%s", command, p.stderr.String())
		}
	})
	if p.url = <-listening; p.url == "" {
		t.Fatalf("neuronward %s ended, want it to listen first", command)
	}
	return p
}

// stop ends the process, so that its log is whole, and returns the number of requests by request id.
func (p *process) stop() map[string]int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("neuronward ended with %v", err)
	}
	return maps.Clone(p.calls)
}
