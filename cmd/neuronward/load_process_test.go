package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
)

// How much the real binary is put under: make soak says more.
var (
	idleStreams  = flag.Int("streams", 200, "streams that are open at once and silent")
	largeUploads = flag.Int("uploads", 24, "uploads of 30 MB at once")
	slowFor      = flag.Duration("slow", time.Second, "how long slowhttptest attacks once its connections are open")
)

// What proxy/README.md says of the memory of a process.
const (
	restMemory = 96 << 20  // beside NEURONWARD_MAX_HELD
	perStream  = 128 << 10 // of an open one
)

// slowMemory is the limit under slow callers.
const slowMemory = 288 << 20

// TestUnderLoad puts the binary, as it is built for use, without the race
// detector, under what would bring down a proxy that lets everybody in: its
// memory is what its settings say, and it continues to serve.
func TestUnderLoad(t *testing.T) {
	binary, err := plainBinary()
	if err != nil {
		t.Fatalf("the binary: got %v, want it built", err)
	}
	serve := func(t *testing.T, upstream string, environ ...string) *process {
		p := launchBinary(t, binary, 10*time.Minute, append([]string{
			"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
			"NEURONWARD_UPSTREAM=" + upstream + "/client/v4",
			"NEURONWARD_STORE=memory:", "NEURONWARD_PLAN=paid", "NEURONWARD_RATE_LIMITS=off",
		}, environ...))
		p.listening()
		return p
	}
	t.Run("silent streams", func(t *testing.T) { silentStreams(t, serve) })
	t.Run("idle sessions", func(t *testing.T) { idleSessions(t, serve) })
	t.Run("large uploads", func(t *testing.T) { largeBodies(t, serve) })
	for name, mode := range map[string][]string{
		"slow headers": {"-H", "-x", "24"},
		"slow bodies":  {"-B", "-s", "8192", "-x", "10"},
		"slow readers": {"-X", "-k", "5", "-w", "10", "-y", "20", "-n", "5", "-z", "32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // with each other
			slowCallers(t, serve, mode)
		})
	}
}

// peak is the most memory that a process has had, in bytes.
func (p *process) peak() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	kib, err := strconv.ParseInt(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}

// opened is how many files and connections a process has open.
func (p *process) opened() int {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Error(err)
	}
	return len(files)
}

// silentStreams opens streams that say one thing and then nothing. Others are
// served meanwhile, and each stream continues to its end.
func silentStreams(t *testing.T, serve func(*testing.T, string, ...string) *process) {
	environ, release := slowUpstream(t)
	p := serve(t, strings.TrimSuffix(strings.TrimPrefix(environ[len(environ)-1], "NEURONWARD_UPSTREAM="), "/client/v4"),
		"NEURONWARD_MAX_IN_FLIGHT="+strconv.Itoa(*idleStreams+1))
	p.open() // whatever the first call needs, and the last place
	before := p.peak()
	var streams sync.WaitGroup
	for range *idleStreams {
		stream := p.open()
		streams.Go(func() {
			if rest, err := io.ReadAll(stream); err != nil || string(rest) != lastChunk {
				t.Errorf("the rest of a stream: got %q, %v; want %q", rest, err, lastChunk)
			}
		})
	}
	equal(t, "calls in flight", p.series("neuronward_requests_in_flight"), strconv.Itoa(*idleStreams+1))
	each := (p.peak() - before) / int64(*idleStreams)
	t.Logf("%d streams: %d KiB each, %d MiB at the peak", *idleStreams, each>>10, p.peak()>>20)
	if each > perStream {
		t.Errorf("an open stream: got %d KiB, want %d KiB at most", each>>10, perStream>>10)
	}
	close(release)
	streams.Wait()
}

// largeBodies sends many large bodies at once: most of them JSON, which is held
// in memory, and some recordings, which stream through.
func largeBodies(t *testing.T, serve func(*testing.T, string, ...string) *process) {
	const size, held = 30_000_000, 64 << 20
	var arrived atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		arrived.Add(n)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":{"response":"x"},"success":true,"errors":[],"messages":[]}`)
	}))
	t.Cleanup(upstream.Close)
	p := serve(t, upstream.URL, "NEURONWARD_MAX_HELD="+strconv.Itoa(held))
	text := `{"prompt":"` + strings.Repeat("a", size-len(`{"prompt":""}`)) + `"}`
	recording := strings.Repeat("\x00", size)
	// net/http waits half a second for a caller that does not read its refusal: on a busy machine one may be late.
	var answered, refused, late atomic.Int64
	var all sync.WaitGroup
	for i := range *largeUploads {
		all.Go(func() {
			path, kind, body := "/run/"+model, "application/json", text
			if i%4 == 3 {
				path, kind, body = "/run/@cf/openai/whisper", "application/octet-stream", recording
			}
			resp, err := http.Post(p.app+path, kind, strings.NewReader(body))
			switch {
			case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
				late.Add(1)
				return
			case err != nil:
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			switch {
			case err != nil:
				t.Error(err)
			case resp.StatusCode == http.StatusOK:
				answered.Add(1)
			case resp.StatusCode == http.StatusServiceUnavailable &&
				strings.Contains(string(answer), `"name":"overloaded"`):
				refused.Add(1)
			default:
				t.Errorf("got %d %.300s, want an answer or overloaded", resp.StatusCode, answer)
			}
		})
	}
	all.Wait()
	peak, got := p.peak(), arrived.Load()
	t.Logf("%d uploads: %d answered, %d refused as overloaded, %d of them too late to hear it, %d MB arrived; "+
		"%d MiB at the peak", *largeUploads,
		answered.Load(), refused.Load()+late.Load(), late.Load(), got/1e6, peak>>20)
	if answered.Load() < held/size { // as many as there is room for
		t.Errorf("got %d uploads answered, want %d at least", answered.Load(), held/size)
	}
	status, body := p.do(http.MethodPost, p.app+"/run/"+model, `{"prompt":"x"}`)
	isAnswer(t, "a call afterwards", status, body, http.StatusOK)
	if got != answered.Load()*size {
		t.Errorf("got %d bytes, want those of %d answered uploads: %d", got, answered.Load(), answered.Load()*size)
	}
	if peak > held+restMemory {
		t.Errorf("got %d MiB at the peak, want NEURONWARD_MAX_HELD and %d MiB at most", peak>>20, restMemory>>20)
	}
}

// slowCallers lets slowhttptest attack, with callers beside it who do as callers
// do: none of them notices.
func slowCallers(t *testing.T, serve func(*testing.T, string, ...string) *process, mode []string) {
	upstream := httptest.NewServer(workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken}))
	t.Cleanup(upstream.Close)
	p := serve(t, upstream.URL)
	url := p.app + "/run/" + model
	if mode[0] == "-X" {
		url = p.app + "/errors" // the longest answer that needs no body
	}
	const hanging, wantOpen, wantCalls = 5 * time.Minute, 400, 10
	ctx, end := context.WithTimeout(t.Context(), hanging)
	defer end()
	attack := exec.CommandContext(ctx, "slowhttptest",
		append(mode, "-c", "500", "-r", "250", "-i", "1", "-l", strconv.Itoa(int(hanging.Seconds())), "-u", url)...)
	var said bytes.Buffer
	attack.Stdout, attack.Stderr = &said, &said
	if err := attack.Start(); err != nil {
		t.Fatalf("slowhttptest, which bash .ci/install installs: got %v, want it to start", err)
	}
	var healthy sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	for range 4 {
		healthy.Go(func() {
			for tick := time.NewTicker(25 * time.Millisecond); ctx.Err() == nil; <-tick.C {
				began := time.Now()
				resp, err := http.Post(p.app+"/run/"+model, "application/json", strings.NewReader(`{"prompt":"Hello"}`))
				ok := err == nil && resp.StatusCode == http.StatusOK
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				mu.Lock()
				took = append(took, time.Since(began))
				if !ok {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	calls := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(took)
	}
	// slowhttptest reports every five seconds only: the files that the proxy has open show whether there is an attack.
	attackers := 0
	for tick := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil && attackers < wantOpen; <-tick.C {
		attackers = max(attackers, p.opened())
	}
	<-time.After(*slowFor)
	for ctx.Err() == nil && calls() < wantCalls {
		pause()
	}
	attackers = max(attackers, p.opened())
	end()
	healthy.Wait()
	if err := attack.Wait(); attack.ProcessState.Exited() {
		t.Errorf("slowhttptest: got %v before it was killed, want it to attack until then\n%s", err, said.String())
	}
	if attackers < wantOpen {
		t.Errorf("files open at once: got %d, want the %d of an attack at least", attackers, wantOpen)
	}
	slices.Sort(took)
	t.Logf("%d calls beside %d open files, %d failed, half within %v, 99 %% within %v; %d MiB at the peak",
		len(took), attackers, failed, took[len(took)/2].Round(time.Microsecond),
		took[len(took)*99/100].Round(time.Microsecond), p.peak()>>20)
	if failed > 0 {
		t.Errorf("failed calls beside the attack: got %d of %d, want none", failed, len(took))
	}
	if len(took) < wantCalls {
		t.Errorf("calls beside the attack: got %d, want %d at least", len(took), wantCalls)
	}
	if peak := p.peak(); peak > slowMemory {
		t.Errorf("peak of resident memory: got %d MiB, want at most %d MiB", peak>>20, slowMemory>>20)
	}
}
