package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// wroteHeaders takes some of the call's body, as net/http does when it writes.
type wroteHeaders struct{ next http.RoundTripper }

func (t wroteHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.CopyN(io.Discard, r.Body, 1)
	return t.next.RoundTrip(r)
}

const slowEvent = "data: {\"response\":\"a\"}\n\n"

// A reader that stops is let go, and upstream with it; what it costs is what a
// caller costs that left.
func TestReaderThatStops(t *testing.T) {
	left := make(chan struct{})
	stream := inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, slowEvent)
			time.Sleep(10 * time.Second)
		}
		close(left)
	})}
	answer := func(size int) http.RoundTripper {
		return wroteHeaders{answers{
			http.Header{"Content-Type": {"application/json"}},
			`{"result":{"response":"` + strings.Repeat("a", size) + `"},"success":true}`,
		}}
	}
	for _, test := range []struct {
		name, body, until string // what is read before the reader stops
		size              int    // and how much at least
		upstream          http.RoundTripper
	}{
		// httputil.ReverseProxy flushes the headers of a stream under a lock, which
		// synctest can't see through: they are read, and an event with them.
		{"a stream", `{"prompt":"x","stream":true}`, "\n\n\r\n", 0, stream},
		{"a long answer", `{"prompt":"x"}`, "200", 0, answer(1 << 20)},
		{"the end of a long answer", `{"prompt":"x"}`, "200", 1 << 20, answer(1 << 20)},
		{"an answer that is there whole", `{"prompt":"x"}`, "200", 0, answer(20_000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{},
					func(c *Config) { c.Transport = test.upstream })
				dial, end := serve(g.proxy)
				defer end()
				conn := dial()
				defer conn.Close()
				began := time.Now()
				if _, err := io.WriteString(conn, postHead("/run/"+testModel, len(test.body))+test.body); err != nil {
					t.Fatal(err)
				}
				for read := ""; !strings.Contains(read, test.until) || len(read) < test.size; {
					b := make([]byte, 16<<10)
					n, err := conn.Read(b)
					if err != nil {
						t.Fatal(err)
					}
					read += string(b[:n])
				}
				synctest.Wait()
				g.proxy.Drain()
				<-g.proxy.Idle()
				if took := time.Since(began); took < time.Minute || took > 2*time.Minute+time.Second {
					t.Errorf("let go: got after %v, want after 1m0s to 2m1s", took)
				}
				synctest.Wait()
				b := &bench{t: t, metrics: g.config.Metrics}
				if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
					t.Errorf("client_gone: got %v, want 1", n)
				}
				if !strings.Contains(g.log.String(), `took nothing of the answer for 1m`) {
					t.Errorf("the log: got %s, want %q in it", g.log, `took nothing of the answer for 1m`)
				}
				if s := g.close(); s.Account.Used == 0 {
					t.Errorf("cost: got %v, want more than 0", s.Account.Used)
				}
				time.Sleep(10 * time.Second) // upstream notices
			})
		})
	}
	<-left
}

// What is slow and well is not cut: an upstream that says something only now
// and then, and a reader that takes its time.
func TestHealthySlowStreams(t *testing.T) {
	for _, test := range []struct {
		name           string
		upstream, read time.Duration // between events; between reads
	}{
		{"a slow upstream", 115 * time.Second, 0},
		{"a slow reader", time.Second, 55 * time.Second},
		{"both", 110 * time.Second, 50 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				const events = 40
				config := testConfig(io.Discard)
				config.StreamIdleTimeout = 2 * time.Minute
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					for range events {
						_, _ = io.WriteString(w, slowEvent)
						time.Sleep(test.upstream)
					}
					_, _ = io.WriteString(w, "data: [DONE]\n\n")
				})}
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				dial, end := serve(p)
				defer end()
				conn := dial()
				defer conn.Close()
				const body = `{"prompt":"x","stream":true}`
				if _, err := io.WriteString(conn, postHead("/run/"+testModel, len(body))+body); err != nil {
					t.Fatal(err)
				}
				pause := time.Duration(0)
				res, err := http.ReadResponse(bufio.NewReader(readerFunc(func(b []byte) (int, error) {
					time.Sleep(pause)
					return conn.Read(b)
				})), nil)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // see TestReaderThatStops
				pause = test.read
				answer, err := io.ReadAll(res.Body)
				if err != nil {
					t.Errorf("got error %v, want none", err)
				}
				wantEqual(t, "events", strings.Count(string(answer), slowEvent), events)
				if want := "data: [DONE]\n\n"; !strings.HasSuffix(string(answer), want) {
					t.Errorf("got the end %q, want %q", answer[max(0, len(answer)-50):], want)
				}
			})
		})
	}
}

// The same on real sockets, whose buffers are between us and the caller.
func TestSlowCallersOnRealSockets(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event := []byte("data: {\"response\":\"" + strings.Repeat("a", 16<<10) + "\"}\n\n")
		for r.Context().Err() == nil {
			_, _ = w.Write(event)
		}
	}
	t.Run("a body that stops", func(t *testing.T) {
		b := newBench(t, http.HandlerFunc(endless), func(c *Config) { c.UploadPause = 50 * time.Millisecond })
		res, body := b.raw(postHead(chatPath, 1000) + "{")
		e := b.envelope(body).Error
		wantEqual(t, "status", res.StatusCode, 400)
		wantEqual(t, "name", e.Name, "incomplete_request")
		wantEqual(t, "fault", e.Fault, "caller")
		wantHas(t, "message", e.Message, "nothing more of the body came for 50ms")
	})
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("a reader that stops, HTTP/%d", major), func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(endless), func(c *Config) { c.ReadPause = 50 * time.Millisecond })
			server := httptest.NewUnstartedServer(b.proxy)
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
			defer server.Close()
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(major == 1)
			transport.Protocols.SetUnencryptedHTTP2(major == 2)
			defer transport.CloseIdleConnections()
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/run/"+testModel,
				strings.NewReader(`{"prompt":"x","stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b.ended() // although nothing of the answer is read
			if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 || res.ProtoMajor != major {
				t.Errorf("got %s, client_gone %v; want HTTP/%d, 1", res.Proto, n, major)
			}
			if !strings.Contains(b.log.String(), "took nothing of the answer for 50ms") {
				t.Errorf("the log: got %s, want %q in it", b.log, "took nothing of the answer for 50ms")
			}
		})
	}
}

// A caller that has gone while its last bytes were written has not got them.
func TestWriteThatFailsIsNoSuccess(t *testing.T) {
	config := testConfig(io.Discard)
	config.Transport = answers{header: http.Header{"Content-Type": {"application/json"}}, body: chatAnswer}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	p.ServeHTTP(&broken{httptest.NewRecorder()},
		httptest.NewRequestWithContext(context.Background(), "POST", "http://localhost"+chatPath,
			strings.NewReader(chat)))
	b := &bench{t: t, metrics: config.Metrics}
	if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
		t.Errorf("client_gone: got %v, want 1", n)
	}
}

type broken struct{ http.ResponseWriter }

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
