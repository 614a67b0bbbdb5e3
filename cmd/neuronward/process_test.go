package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
	"github.com/neuronward/neuronward/quota"
)

// A process is the real binary, run as people run it.
type process struct {
	t          *testing.T
	cmd        *exec.Cmd
	app, admin string // base URLs
	lines      chan map[string]any
	log        logtest.Buffer // all of stderr so far
	out        bytes.Buffer   // all of stdout, once it has ended
	coming     sync.WaitGroup // calls of a fleet that are on their way here
}

// start runs neuronward with arguments and nothing but these variables, on ports of its own, and waits until it
// listens.
func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	p := launch(t, environ, args...)
	p.listening()
	return p
}

// listening waits until it listens.
func (p *process) listening() {
	p.t.Helper()
	at := p.await("listening")
	p.app, p.admin = at["scheme"].(string)+"://"+at["listen"].(string), "http://"+at["admin_listen"].(string)
}

// processLimit is how long a process lives at most.
const processLimit = 10 * time.Minute

// launch is start without the wait.
func launch(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	return launchBinary(t, "neuronward", processLimit, environ, args...)
}

// launchBinary is launch of a certain binary. A test that hangs fails by itself; the process must not outlive it by
// more than limit.
func launchBinary(t *testing.T, binary string, limit time.Duration, environ []string, args ...string) *process {
	t.Helper()
	// Shortly before the end of a day the process begins after it: else it would count on two days.
	if left := time.Until(quota.DayOf(time.Now()).End()); left < 2*time.Minute {
		<-time.After(left + time.Second)
	}
	p := &process{t: t, lines: make(chan map[string]any)}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	p.cmd = exec.CommandContext(ctx, binary, args...)
	p.cmd.Env = append([]string{
		"NEURONWARD_LISTEN=127.0.0.1:0", "NEURONWARD_ADMIN_LISTEN=127.0.0.1:0", "NEURONWARD_PRICES=embedded",
		"NEURONWARD_RECONCILE=0", "XDG_STATE_HOME=" + t.TempDir(), quickExit,
	}, environ...)
	p.cmd.Stdout = &p.out
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	logged := make(chan map[string]any)
	go func() {
		defer close(logged)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			fmt.Fprintln(&p.log, s.Text())
			line := map[string]any{}
			if json.Unmarshal(s.Bytes(), &line) == nil {
				logged <- line
			}
		}
	}()
	go p.keep(logged)
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.exit()
		}
		if t.Failed() {
			t.Logf("stderr of neuronward:\n%s", p.log.String())
		}
	})
	return p
}

// keep passes lines on to lines, and keeps those that nobody awaits yet. Of a call's lines, which nobody awaits under
// load, it keeps only some.
func (p *process) keep(logged chan map[string]any) {
	const maxCalls = 1024
	defer close(p.lines)
	var kept []map[string]any
	for logged != nil || len(kept) > 0 {
		var out chan map[string]any
		var next map[string]any
		if len(kept) > 0 {
			out, next = p.lines, kept[0]
		}
		select {
		case line, ok := <-logged:
			msg, _ := line["msg"].(string)
			switch {
			case !ok:
				logged = nil
			case len(kept) < maxCalls || !strings.HasPrefix(msg, "call"):
				kept = append(kept, line)
			}
		case out <- next:
			kept = kept[1:]
		}
	}
}

// await reads log lines up to one whose message begins with prefix.
func (p *process) await(prefix string) map[string]any {
	p.t.Helper()
	for line := range p.lines {
		if msg, _ := line["msg"].(string); strings.HasPrefix(msg, prefix) {
			return line
		}
	}
	p.t.Fatalf("the process ended, want the log line %q before", prefix)
	return nil
}

func (p *process) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	for range p.lines {
	}
	p.cmd.Wait() //nolint:errcheck // the exit code says it
	return p.cmd.ProcessState.ExitCode()
}

// get returns status and body.
func (p *process) get(url string) (int, string) {
	p.t.Helper()
	return p.do(http.MethodGet, url, "")
}

func (p *process) do(method, url, body string) (int, string) {
	p.t.Helper()
	return p.doWith(method, url, body)
}

// doWith is do with headers: name, value, name, value.
func (p *process) doWith(method, url, body string, headers ...string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for h := range slices.Chunk(headers, 2) {
		r.Header.Set(h[0], h[1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

const (
	streamCall = `{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","stream":true,"messages":[{"role":"user",` +
		`"content":"Hello"}]}`
	chunk = `data: ` +
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{"content":"x"},"finish_reason":null}]}` + "\n\n"
	lastChunk = `data: ` +
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},` +
		`"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
)

// slowUpstream streams one event, and the rest once release is closed.
func slowUpstream(t *testing.T) (environ []string, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, chunk)
		w.(http.Flusher).Flush()
		select {
		case <-release:
			io.WriteString(w, lastChunk)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(upstream.Close)
	return []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
	}, release
}

// open begins a stream and reads its first event.
func (p *process) open() *bufio.Reader {
	p.t.Helper()
	resp, err := http.Post(p.app+"/v1/chat/completions", "application/json", strings.NewReader(streamCall))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	got := make([]byte, len(chunk))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != chunk {
		p.t.Fatalf("got status %d, first event %q, %v; want %q", resp.StatusCode, got, err, chunk)
	}
	return r
}

func TestProcessDrainsOpenStreams(t *testing.T) {
	t.Parallel()
	environ, release := slowUpstream(t)
	p := start(t, environ)
	if status, body := p.get(p.admin + "/readyz"); status != http.StatusOK {
		t.Fatalf("readyz: got %d %s, want 200", status, body)
	}
	stream := p.open()
	p.signal()
	p.await("draining")
	status, body := p.get(p.admin + "/readyz")
	isAnswer(t, "readyz while draining", status, body, http.StatusServiceUnavailable)
	status, body = p.get(p.app + "/readyz")
	isAnswer(t, "readyz for apps while draining", status, body, http.StatusServiceUnavailable,
		`"name":"shutting_down"`, `"origin":"guard"`, "This proxy process is stopping")
	status, body = p.get(p.app + "/livez")
	isAnswer(t, "livez for apps while draining", status, body, http.StatusOK)
	status, body = p.do(http.MethodPost, p.app+"/v1/chat/completions", streamCall)
	isAnswer(t, "a new call while draining", status, body, http.StatusServiceUnavailable, `"shutting_down"`)
	close(release)
	if rest, err := io.ReadAll(stream); err != nil || string(rest) != lastChunk {
		t.Errorf("the rest of the stream: got %q, %v; want %q", rest, err, lastChunk)
	}
	p.ends(exitDone)
}

func TestProcessCutsStreamsAfterDrain(t *testing.T) {
	t.Parallel()
	environ, _ := slowUpstream(t)
	p := start(t, append(environ, "NEURONWARD_DRAIN=1ms"))
	stream := p.open()
	p.signal()
	rest, err := io.ReadAll(stream)
	if strings.Contains(string(rest), "[DONE]") || err == nil && !strings.Contains(string(rest), "error") {
		t.Errorf("the cut stream: got %q, %v; want an error and no [DONE]", rest, err)
	}
	p.await("the drain time is over")
	p.ends(exitDone)
}

func TestProcessEndsAtOnceOnSecondSignal(t *testing.T) {
	t.Parallel()
	environ, _ := slowUpstream(t)
	p := start(t, append(environ, "NEURONWARD_DRAIN=1h"))
	p.open()
	p.signal()
	p.await("draining")
	p.signal()
	p.ends(exitFailed)
}

// What upstream echoes, what is asked for and what is logged: the token is in nothing that leaves the process.
func TestProcessNeverShowsTheToken(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Header.Get("Authorization"), "Bearer "+fakeToken; got != want {
			t.Errorf("Authorization upstream: got %q, want %q", got, want)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(
			w, `{"errors":[{"message":"AiError: bad %s","code":5006}],"success":false,"result":{},"messages":[]}`,
			r.Header.Get("Authorization"),
		)
	}))
	t.Cleanup(upstream.Close)
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
		"NEURONWARD_LOG_LEVEL=debug", "NEURONWARD_PPROF=true",
		"NEURONWARD_MODELS=*", // the token in the place of the model goes to upstream, which may echo it
	})
	status, seen := p.do(http.MethodPost, p.app+"/v1/chat/completions?key="+fakeToken,
		`{"model":"`+fakeToken+`","messages":[]}`)
	isAnswer(t, "the call", status, seen, http.StatusBadRequest)
	for _, path := range []string{
		"/", "/metrics", "/readyz", "/livez", "/status", "/status/history",
		"/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2",
	} {
		_, body := p.get(p.admin + path)
		seen += body
	}
	p.signal()
	p.exit()
	seen += p.log.String() + p.out.String()
	if i := strings.Index(seen, fakeToken); i >= 0 {
		t.Errorf("got the token after …%s, want it nowhere", seen[max(0, i-200):i])
	}
}

func TestProcessPicksUpANewToken(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":{"response":"x"},"success":true,"errors":[],"messages":[]}`)
	}))
	t.Cleanup(upstream.Close)
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(fakeToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN_FILE=" + path,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4",
	})
	call := func() string {
		p.do(http.MethodPost, p.app+"/run/@cf/meta/llama-3.1-8b-instruct-fp8", `{"prompt":"x"}`)
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
	if got := call(); got != "Bearer "+fakeToken {
		t.Fatalf("Authorization upstream: got %q, want %q", got, "Bearer "+fakeToken)
	}
	const next = "fake-token-rotated"
	if err := os.WriteFile(path, []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
	p.await("the secret file has changed")
	equal(t, "Authorization upstream after the rotation", call(), "Bearer "+next)
}

// commandLine runs a line as people type it, with curl as script_test.go has it.
func commandLine(line string) ([]byte, error) {
	c := exec.Command("sh", "-c", line)
	c.Env = append(c.Environ(), quickExit)
	return c.CombinedOutput()
}

// Each call that demo prints is run as it stands.
func TestDemoCallsWork(t *testing.T) {
	t.Parallel()
	p := start(
		t,
		[]string{
			"CLOUDFLARE_API_TOKEN_FILE=/nowhere/token", "CLOUDFLARE_ACCOUNT_ID=not/an/id",
			"NEURONWARD_UPSTREAM=http://192.0.2.1", "NEURONWARD_API=http://192.0.2.1",
		},
		"demo",
	)
	at := endpoints{strings.TrimPrefix(p.app, "http://"), strings.TrimPrefix(p.admin, "http://")}
	printed := demoCalls("http", at, true)
	for line := range strings.SplitSeq(printed, "\n") {
		if len(line) > textWidth {
			t.Errorf("got %d columns, want %d at most: %s", len(line), textWidth, line)
		}
	}
	wants := []string{
		`"object":"chat.completion"`, "data: [DONE]", `"success":true`, `"embedding":`, `"name":"account_limited"`,
		`"name":"out_of_capacity"`,
		`neuronward_errors_total{code="3040",fault="upstream",name="out_of_capacity",origin="upstream"} 1`,
		`"name": "` + demoChat + `"`,
	}
	var calls []string
	for part := range strings.SplitSeq(printed, "\n\n") {
		if strings.HasPrefix(part, "  curl ") {
			calls = append(calls, part)
		}
	}
	if len(calls) != len(wants) {
		t.Fatalf("%d calls are printed, want %d:\n%s", len(calls), len(wants), printed)
	}
	for i, call := range calls {
		out, err := commandLine(call)
		if err != nil || !strings.Contains(string(out), wants[i]) {
			t.Errorf("%s\n\nprinted %s\n%v; want %s", call, out, err, wants[i])
		}
	}
	status, body := p.get(p.app + "/client/v4/accounts/" + demoAccount + "/ai/models/search")
	isAnswer(t, "the full path", status, body, http.StatusOK)
	p.signal()
	p.ends(exitDone)
	if p.out.String() != printed {
		t.Errorf("demo printed\n%s\nwant\n%s", p.out.String(), printed)
	}
}

func TestServeRemovesSimulate(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Simulate"); got != "" {
			t.Errorf("got x-simulate: %s upstream, want none", got)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":{"response":"x"},"success":true,"errors":[],"messages":[]}`)
	}))
	t.Cleanup(upstream.Close)
	p := start(t, []string{"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4"})
	var out bytes.Buffer
	err := transfer(
		[]string{
			"-i", "-H", "x-simulate: 3040", "-d", `{"prompt":"x"}`, p.app + "/run/@cf/meta/llama-3.1-8b-instruct-fp8",
		},
		&out,
	)
	if err != nil || !strings.HasPrefix(out.String(), "HTTP/1.1 200 OK") {
		t.Errorf("got %v and\n%s\nwant 200", err, out.String())
	}
}

func TestHealthcheckOfAProcess(t *testing.T) {
	t.Parallel()
	environ, release := slowUpstream(t)
	p := start(t, environ)
	ask := func(environ ...string) (code int, said string) {
		var out bytes.Buffer
		code = run(t.Context(), []string{"healthcheck"}, environ, strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	admin := "NEURONWARD_ADMIN_LISTEN=" + strings.TrimPrefix(p.admin, "http://")
	everywhere := "NEURONWARD_ADMIN_LISTEN=0.0.0.0" + admin[strings.LastIndex(admin, ":"):]
	for _, variable := range []string{admin, everywhere} {
		code, said := ask(variable, "NEURONWARD_DRAIN=wrong")
		equal(t, variable+": exit", code, exitDone)
		equal(t, variable, said, "ready\n")
	}
	app := strings.TrimPrefix(p.app, "http://")
	code, said := ask("NEURONWARD_ADMIN_LISTEN=", "NEURONWARD_LISTEN="+app)
	equal(t, "admin listener off: exit", code, exitDone)
	equal(t, "admin listener off", said, "ready\n")
	code, said = ask("NEURONWARD_ADMIN_LISTEN=wrong")
	equal(t, "wrong address: exit", code, exitUsage)
	contains(t, "wrong address", said, "NEURONWARD_ADMIN_LISTEN: ")
	stream := p.open()
	p.signal()
	p.await("draining")
	code, said = ask(admin)
	equal(t, "while draining: exit", code, exitFailed)
	contains(t, "while draining", said, "503")
	code, said = ask("NEURONWARD_ADMIN_LISTEN=", "NEURONWARD_LISTEN="+app)
	equal(t, "while draining, admin listener off: exit", code, exitFailed)
	contains(t, "while draining, admin listener off", said, "503 Service Unavailable: shutting_down (90010): ")
	close(release)
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Error(err)
	}
	p.exit()
	for _, gone := range [][]string{{admin}, {"NEURONWARD_ADMIN_LISTEN=", "NEURONWARD_LISTEN=" + app}} {
		code, said := ask(gone...)
		equal(t, "after the end: exit", code, exitFailed)
		contains(t, "after the end", said, "not ready")
	}
}
