package main

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
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

// A link is a way to call the app listener over TLS.
type link struct {
	name  string
	major int // of HTTP
}

func links() []link {
	return []link{{"HTTP/2 over TLS", 2}, {"HTTP/1.1 over TLS", 1}}
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
	pair := certtest.New(t, 1, time.Now())
	environ = append(environ, certtest.NewFiles(t, pair).Environ()...)
	transport.TLSClientConfig = &tls.Config{RootCAs: trust(t, pair)}
	transport.Protocols.SetHTTP1(l.major == 1)
	transport.Protocols.SetHTTP2(l.major == 2)
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
		l.t.Fatalf("got an answer by %s, want HTTP/%d", resp.Proto, l.major)
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
// sees the break, and what else is on the connection continues.
func TestProcessResetsAStreamThatFails(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ simulate, code string }{
		"upstream is cut":      {"midstream=cut; after=3", `"code":"stream_interrupted"`},
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
				equal(t, fmt.Sprintf("%s: cut by the error %v", name, err), l.broken(err), true)
				if len(events) < 2 {
					t.Errorf("%s: got %d events, want 2 at least", name, len(events))
				}
				contains(t, name+": the last event", last, c.code)
				lacks(t, name, string(got), "[DONE]")
				if l.major == 2 && !l.reused.Load() {
					t.Errorf("%s: got a new connection, want the one before it", name)
				}
			}
			rest, err := io.ReadAll(beside.Body)
			if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
				t.Errorf("the stream beside them: got %.300q, %v; want [DONE] at its end", rest, err)
			}
			whole, err := io.ReadAll(l.post(chatPath, streamCall).Body)
			if err != nil || !strings.HasSuffix(string(whole), "data: [DONE]\n\n") {
				t.Errorf("the stream after them: got %.300q, %v; want [DONE] at its end", whole, err)
			}
			equal(t, "the stream after them is on the same connection", l.reused.Load(), true)
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
			t.Errorf("got a call upstream by %s, want HTTP/2", r.Proto)
		}
		io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	path := filepath.Join(t.TempDir(), "upstream.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: upstream.Certificate().Raw})
	if err := os.WriteFile(path, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"SSL_CERT_FILE=" + path, "CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=" + upstream.URL + "/client/v4", "NEURONWARD_QUOTA_MODE=off", "NEURONWARD_RATE_LIMITS=off",
		"NEURONWARD_RETRIES=0",
	}
}

// An answer that upstream resets by RST_STREAM is reported like one that is cut otherwise.
func TestProcessWhoseUpstreamResetsStreams(t *testing.T) {
	t.Parallel()
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
			const inStream, inAnswer = "reset in the stream", "reset in an answer"
			equal(t, inStream+": the first chunk came", ok, true)
			equal(t, fmt.Sprintf("%s: cut by the error %v", inStream, err), l.broken(err), true)
			if !strings.HasPrefix(terminal, "data: {") {
				t.Errorf("%s: got %q at the end, want an event", inStream, terminal)
			}
			contains(t, inStream, terminal, `"code":"stream_interrupted"`)
			equal(t, inStream+": name in the log", l.await("call")["name"], any("stream_interrupted"))
			got, err = io.ReadAll(l.post("/run/"+model, `{"prompt":"x"}`, "x-request-id", "json").Body)
			if !l.broken(err) || len(got) < 32<<10 {
				t.Errorf("%s: got %d bytes, %v; want 32 KiB at least and a cut", inAnswer, len(got), err)
			}
			equal(t, inAnswer+": name in the log", l.await("call")["name"], any("stream_interrupted"))
			resp := l.post("/run/"+model, `{"prompt":"x"}`, "x-request-id", "before")
			if got, err = io.ReadAll(resp.Body); err != nil {
				t.Errorf("reset before the answer: got %v, want a whole answer", err)
			}
			isAnswer(t, "reset before the answer",
				resp.StatusCode, string(got), http.StatusBadGateway, `"success":false`)
			got, err = io.ReadAll(l.post(chatPath, streamCall, "x-request-id", "whole").Body)
			if err != nil || string(got) != chunk+lastChunk {
				t.Errorf("a stream after them: got %q, %v; want %q", got, err, chunk+lastChunk)
			}
			l.stop()
		})
	}
}

// A caller that asks before it sends a body gets 100 only once the body is wanted.
func TestProcessIsAskedBeforeABodyIsSent(t *testing.T) {
	t.Parallel()
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
				var asked, read atomic.Bool
				ctx := httptrace.WithClientTrace(t.Context(),
					&httptrace.ClientTrace{Got100Continue: func() { asked.Store(true) }})
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.app+c.path,
					readNoting{strings.NewReader(c.body), &read})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = int64(len(c.body))
				r.Header.Set("Expect", "100-continue")
				resp, err := l.client.Do(r)
				if err != nil {
					t.Errorf("%s: got %v, want an answer", name, err)
					continue
				}
				answer, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Errorf("%s: got %v, want a whole answer", name, err)
				}
				isAnswer(t, name, resp.StatusCode, string(answer), c.status)
				equal(t, name+": asked for the body", asked.Load(), c.goOn)
				equal(t, name+": sent the body", read.Load(), c.goOn)
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
	t.Parallel()
	for _, how := range links() {
		t.Run(how.name, func(t *testing.T) {
			environ, release := slowUpstream(t)
			l := how.start(t, environ)
			stream := l.post(chatPath, streamCall)
			l.signal()
			l.await("draining")
			refused := l.post(chatPath, streamCall)
			got, err := io.ReadAll(refused.Body)
			if err != nil {
				t.Errorf("a new call while draining: got %v, want a whole answer", err)
			}
			isAnswer(t, "a new call while draining",
				refused.StatusCode, string(got), http.StatusServiceUnavailable, `"shutting_down"`)
			close(release)
			if got, err := io.ReadAll(stream.Body); err != nil || string(got) != chunk+lastChunk {
				t.Errorf("the stream: got %q, %v; want %q", got, err, chunk+lastChunk)
			}
			l.ends(exitDone)

			environ, _ = slowUpstream(t)
			l = how.start(t, append(environ, "NEURONWARD_DRAIN=1ms"))
			stream = l.post(chatPath, streamCall)
			l.signal()
			got, err = io.ReadAll(stream.Body)
			if !l.broken(err) || !strings.Contains(string(got), `"code":"shutting_down"`) {
				t.Errorf("the cut stream: got %q, %v; want shutting_down, and a cut", got, err)
			}
			l.ends(exitDone)
		})
	}
}

// A caller that resets its stream ends the call upstream, and no other one on its connection.
func TestProcessWhoseCallerResetsAStream(t *testing.T) {
	t.Parallel()
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
					t.Fatalf("got %q, %v; want %q", got, err, chunk)
				}
			}
			leaves.Body.Close()
			if id := <-left; id != "leaves" {
				t.Errorf("got %s cancelled upstream, want leaves", id)
			}
			equal(t, "request_id in the log", l.await("caller left")["request_id"], any("leaves"))
			stays.Body.Close()
			<-left
			l.stop()
		})
	}
}
