package main

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// A link is a way to call the app listener.
type link struct {
	name   string
	secure bool
	major  int // of HTTP
}

func links() []link {
	return []link{{"HTTP/2 over TLS", true, 2}, {"HTTP/2 in the clear", false, 2}, {"HTTP/1.1 over TLS", true, 1}}
}

// A linked process and a client that calls it by one link, over one connection if that is HTTP/2.
type linked struct {
	*process
	client *http.Client
	major  int
	reused atomic.Bool // the last call went over a connection that was there
}

func (l link) start(t *testing.T, environ []string, args ...string) *linked {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), ExpectContinueTimeout: time.Minute}
	if l.secure {
		pair := certtest.New(t, 1, time.Now())
		environ = append(environ, certtest.NewFiles(t, pair).Environ()...)
		transport.TLSClientConfig = &tls.Config{RootCAs: trust(t, pair)}
	}
	transport.Protocols.SetHTTP1(l.major == 1)
	transport.Protocols.SetHTTP2(l.major == 2 && l.secure)
	transport.Protocols.SetUnencryptedHTTP2(l.major == 2 && !l.secure)
	return &linked{process: start(t, environ, args...), client: &http.Client{Transport: transport}, major: l.major}
}

// post begins a call. The answer's body is closed with the test.
func (l *linked) post(path, body string, header ...string) *http.Response {
	l.t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { l.reused.Store(c.Reused) }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(l.t.Context(), trace), http.MethodPost, l.app+path,
		strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := l.client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { resp.Body.Close() })
	if resp.ProtoMajor != l.major {
		l.t.Fatalf("the answer came by %s", resp.Proto)
	}
	return resp
}

// broken reports whether err is how a cut answer ends: with a reset of the stream alone, or of the connection.
func (l *linked) broken(err error) bool {
	if l.major == 2 {
		return err != nil && strings.Contains(err.Error(), "INTERNAL_ERROR; received from peer")
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

const chatPath = "/v1/chat/completions"

// A stream that fails on its way ends with its last event and then with RST_STREAM: a client that knows no error events
// sees the break, and what else is on the connection goes on.
func TestProcessResetsAStreamThatFails(t *testing.T) {
	cases := map[string]struct{ simulate, code string }{
		"upstream breaks off":  {"midstream=cut; after=3", `"code":"stream_interrupted"`},
		"within an event":      {"midstream=half; after=3", `"code":"stream_interrupted"`},
		"upstream says so":     {"midstream=3040; after=3", `"code":"out_of_capacity"`},
		"it ends without mark": {"midstream=end; after=3", `"code":"stream_interrupted"`},
	}
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			l := how.start(t,
				[]string{"NEURONWARD_QUOTA_MODE=off", "NEURONWARD_RATE_LIMITS=off", "NEURONWARD_RETRIES=0"}, "demo")
			beside := l.post(chatPath, streamCall)
			for name, c := range cases {
				got, err := io.ReadAll(l.post(chatPath, streamCall, "x-simulate", c.simulate).Body)
				events := strings.Split(strings.TrimSuffix(string(got), "\n\n"), "\n\n")
				last := events[len(events)-1]
				if !l.broken(err) || len(events) < 2 || !strings.Contains(last, c.code) || strings.Contains(string(got), "[DONE]") {
					t.Errorf("%s: %d events, the last is %s; %v", name, len(events), last, err)
				}
				if l.major == 2 && !l.reused.Load() {
					t.Errorf("%s: the connection before it was given up", name)
				}
			}
			if rest, err := io.ReadAll(beside.Body); err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
				t.Errorf("the stream beside them: %.300q, %v", rest, err)
			}
			whole, err := io.ReadAll(l.post(chatPath, streamCall).Body)
			if err != nil || !strings.HasSuffix(string(whole), "data: [DONE]\n\n") || !l.reused.Load() {
				t.Errorf("the stream after them: %.300q, %v; on the same connection: %v", whole, err, l.reused.Load())
			}
			l.stop()
		})
	}
}

// http2Upstream is one that speaks HTTP/2 over TLS and resets streams; what its process needs to trust it comes with
// it.
func http2Upstream(t *testing.T, h http.HandlerFunc) []string {
	t.Helper()
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("upstream was called by %s", r.Proto)
		}
		io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	path := filepath.Join(t.TempDir(), "upstream.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: upstream.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"SSL_CERT_FILE=" + path, "CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4", "NEURONWARD_QUOTA_MODE=off", "NEURONWARD_RATE_LIMITS=off",
		"NEURONWARD_RETRIES=0",
	}
}

// What upstream resets by RST_STREAM is told as what it breaks off otherwise.
func TestProcessWhoseUpstreamResetsStreams(t *testing.T) {
	environ := http2Upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Request-Id") {
		case "before":
		case "stream":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, chunk+chunk[:20])
			w.(http.Flusher).Flush()
		case "whole":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, chunk+lastChunk)
			return
		case "json":
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"result":{"response":"`+strings.Repeat("x", 64<<10))
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			l := how.start(t, environ)
			got, err := io.ReadAll(l.post(chatPath, streamCall, "x-request-id", "stream").Body)
			terminal, ok := strings.CutPrefix(string(got), chunk)
			if !ok || !l.broken(err) || !strings.HasPrefix(terminal, "data: {") || !strings.Contains(terminal, `"code":"stream_interrupted"`) {
				t.Errorf("reset in the stream: %q, %v", got, err)
			}
			if said := l.await("call"); said["name"] != "stream_interrupted" {
				t.Errorf("reset in the stream: %v", said)
			}
			got, err = io.ReadAll(l.post("/run/"+model, `{"prompt":"x"}`, "x-request-id", "json").Body)
			if !l.broken(err) || len(got) < 32<<10 {
				t.Errorf("reset in an answer: %d bytes, %v", len(got), err)
			}
			if said := l.await("call"); said["name"] != "stream_interrupted" {
				t.Errorf("reset in an answer: %v", said)
			}
			resp := l.post("/run/"+model, `{"prompt":"x"}`, "x-request-id", "before")
			if got, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(got), `"success":false`) {
				t.Errorf("reset before the answer: %d %s, %v", resp.StatusCode, got, err)
			}
			if got, err = io.ReadAll(l.post(chatPath, streamCall, "x-request-id", "whole").Body); err != nil || string(got) != chunk+lastChunk {
				t.Errorf("a stream after them: %q, %v", got, err)
			}
			l.stop()
		})
	}
}

// Who asks before sending a body is told to go on only once it is wanted.
func TestProcessIsAskedBeforeABodyIsSent(t *testing.T) {
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			l := how.start(t, costly(t, "NEURONWARD_MAX_BODY=1kB"))
			for name, c := range map[string]struct {
				path, body string
				status     int
				goOn       bool
			}{
				"wanted":        {"/run/" + model, `{"prompt":"x","max_tokens":16}`, http.StatusOK, true},
				"no such route": {"/client/v4/zones", `{}`, http.StatusNotFound, false},
				"too large":     {"/run/" + model, strings.Repeat(" ", 1001), http.StatusRequestEntityTooLarge, false},
			} {
				var told, read atomic.Bool
				ctx := httptrace.WithClientTrace(t.Context(),
					&httptrace.ClientTrace{Got100Continue: func() { told.Store(true) }})
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.app+c.path,
					readNoting{strings.NewReader(c.body), &read})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = int64(len(c.body))
				r.Header.Set("Expect", "100-continue")
				resp, err := l.client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != c.status || told.Load() != c.goOn || read.Load() != c.goOn {
					t.Errorf("%s: %d %s, %v; told to go on: %v, sent the body: %v", name, resp.StatusCode, answer, err,
						told.Load(), read.Load())
				}
			}
			l.stop()
		})
	}
}

// readNoting notes that it was read.
type readNoting struct {
	io.Reader
	read *atomic.Bool
}

func (r readNoting) Read(b []byte) (int, error) {
	r.read.Store(true)
	return r.Reader.Read(b)
}

// A process that ends lets the streams of an HTTP/2 connection finish, refuses new ones on it, and cuts what is left as
// it cuts everything else: so that it is seen.
func TestProcessEndsWithHTTP2ConnectionsOpen(t *testing.T) {
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			environ, release := slowUpstream(t)
			l := how.start(t, environ)
			stream := l.post(chatPath, streamCall)
			l.signal()
			l.await("draining")
			refused := l.post(chatPath, streamCall)
			if got, err := io.ReadAll(refused.Body); err != nil || refused.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(got), `"shutting_down"`) {
				t.Errorf("a new call while draining: %d %s, %v", refused.StatusCode, got, err)
			}
			close(release)
			if got, err := io.ReadAll(stream.Body); err != nil || string(got) != chunk+lastChunk {
				t.Errorf("the stream is %q, %v", got, err)
			}
			if code := l.exit(); code != exitDone {
				t.Errorf("exit %d", code)
			}

			environ, _ = slowUpstream(t)
			l = how.start(t, append(environ, "NEURONWARD_DRAIN=1ms"))
			stream = l.post(chatPath, streamCall)
			l.signal()
			got, err := io.ReadAll(stream.Body)
			if !l.broken(err) || !strings.Contains(string(got), `"code":"shutting_down"`) {
				t.Errorf("the cut stream: %q, %v", got, err)
			}
			if code := l.exit(); code != exitDone {
				t.Errorf("exit %d after the cut", code)
			}
		})
	}
}

// A caller that resets its stream ends the call upstream, and no other one on its connection.
func TestProcessWhoseCallerResetsAStream(t *testing.T) {
	left := make(chan string, 1)
	environ := http2Upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, chunk)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		left <- r.Header.Get("X-Request-Id")
	})
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			l := how.start(t, environ)
			leaves, stays := l.post(chatPath, streamCall, "x-request-id",
				"leaves"), l.post(chatPath, streamCall, "x-request-id", "stays")
			for _, resp := range []*http.Response{leaves, stays} {
				got := make([]byte, len(chunk))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != chunk {
					t.Fatalf("%q, %v", got, err)
				}
			}
			leaves.Body.Close()
			if id := <-left; id != "leaves" {
				t.Errorf("upstream lost %s", id)
			}
			if said := l.await("caller left"); said["request_id"] != "leaves" {
				t.Errorf("%v", said)
			}
			stays.Body.Close()
			<-left
			l.stop()
		})
	}
}
