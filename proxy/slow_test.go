package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// pipes is a listener without a network: its connections hold nothing back, so
// that a reader that stops is felt at once, and their deadlines are of virtual
// time.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l pipes) Close() error {
	close(l.closed)
	return nil
}

// serve puts a real server in front of a proxy and returns how to connect to it
// and how to end it.
func serve(p *Proxy) (dial func() net.Conn, end func()) {
	l := pipes{make(chan net.Conn), make(chan struct{})}
	s := &http.Server{Handler: p, BaseContext: p.BaseContext}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	dial = func() net.Conn {
		ours, theirs := net.Pipe()
		l.accept <- theirs
		return ours
	}
	return dial, func() {
		s.Close()
		<-done
	}
}

func postHead(path string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n", path, length)
}

func TestSlowUploads(t *testing.T) {
	trickle := func(n int, every time.Duration) func(net.Conn) error {
		return func(c net.Conn) error {
			for {
				if _, err := io.WriteString(c, strings.Repeat("{", n)); err != nil {
					return err
				}
				time.Sleep(every)
			}
		}
	}
	for _, test := range []struct {
		name, path string
		send       func(net.Conn) error
		after      time.Duration // from the last byte of the headers to the answer
		status     int
		says       string
	}{
		{"nothing comes", chatPath, func(net.Conn) error { return nil }, 30 * time.Second, 400, "nothing more of the body came for 30s."},
		{"a byte now and then", chatPath, trickle(1, 29*time.Second), 30 * time.Second, 400, "the body came too slowly, at less than 1 KiB a second."},
		{"a bit below the rate", chatPath, trickle(1000, time.Second), 21 * time.Minute, 400, "too slowly"},
		{"a call that is refused anyway", "/elsewhere", func(net.Conn) error { return nil }, lingering, 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.MaxBody = 4 << 20
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				dial, end := serve(p)
				defer end()
				conn := dial()
				defer conn.Close()
				length := 100_000
				if test.after > lingering+30*time.Second {
					length = 4 << 20
				}
				if _, err := io.WriteString(conn, postHead(test.path, length)); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				sent := make(chan error)
				go func() { sent <- test.send(conn) }()
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				if took := time.Since(began); took < test.after || took > test.after+test.after/10 {
					t.Errorf("answered after %v, want %v", took, test.after)
				}
				if res.StatusCode != test.status || !strings.Contains(string(body), test.says) {
					t.Errorf("%d %s", res.StatusCode, body)
				}
				if _, err := in.ReadByte(); err != io.EOF {
					t.Errorf("the connection stays open: %v", err)
				}
				if l := p.Load(); l.InFlight != 0 {
					t.Errorf("load: %+v", l)
				}
				<-sent
			})
		})
	}
}

// Slow, and well: neither pauses within the limit nor an upstream that takes
// its time are the caller's fault.
func TestUploadsThatAreSlowEnough(t *testing.T) {
	const chunks = 60 // of 2 KiB
	for _, test := range []struct {
		name     string
		pause    time.Duration // of the caller, before each chunk
		upstream time.Duration // before each read
	}{
		{"pauses", 2 * time.Second, 0},
		{"a slow upstream", 0, time.Minute},
		{"both", 2 * time.Second, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				config := testConfig(io.Discard)
				config.FirstByteTimeout = 24 * time.Hour
				config.Transport = inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n, buf := 0, make([]byte, 2048)
					for {
						time.Sleep(test.upstream)
						m, err := r.Body.Read(buf)
						if n += m; err == io.EOF {
							break
						} else if err != nil {
							t.Errorf("upstream reads: %v", err)
							return
						}
					}
					answerJSON(200, fmt.Sprintf(`{"result":{"bytes":%d},"success":true}`, n))(w, r)
				})}
				p, err := New(config)
				if err != nil {
					t.Fatal(err)
				}
				dial, end := serve(p)
				defer end()
				conn := dial()
				defer conn.Close()
				go func() {
					_, _ = io.WriteString(conn, postHead("/run/"+testModel, chunks*2048))
					for range chunks {
						time.Sleep(test.pause)
						_, _ = io.WriteString(conn, strings.Repeat("R", 2048))
					}
				}()
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || !strings.Contains(string(body), fmt.Sprint(chunks*2048)) {
					t.Errorf("%d %s", res.StatusCode, body)
				}
			})
		})
	}
}

// A caller who was late and has caught up may pause again.
func TestPatienceWithWhoCaughtUp(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var deadline time.Time
		first := true
		p := &patient{
			ReadCloser: io.NopCloser(readerFunc(func(b []byte) (int, error) {
				if first {
					first = false
					time.Sleep(29 * time.Second)
					return 1, nil
				}
				return len(b), nil
			})),
			patience: patience{30 * time.Second, 1 << 10},
			deadline: func(at time.Time) error { deadline = at; return nil },
		}
		for i, want := range []time.Duration{time.Second, time.Second + time.Second/1024, 30 * time.Second} {
			if _, err := p.Read(make([]byte, 64<<10)); err != nil {
				t.Fatal(err)
			}
			if left := time.Until(deadline); (left - want).Abs() > time.Millisecond {
				t.Errorf("at read %d there were %v left, want %v", i+1, left, want)
			}
		}
	})
}

// A deadline over HTTP/2 strikes whether anybody reads or not; it must be gone
// while nobody does.
func TestPatienceOverHTTP2(t *testing.T) {
	for name, want := range map[bool]int{false: 2, true: 4} {
		var set []time.Time
		p := &patient{
			ReadCloser: io.NopCloser(strings.NewReader("ab")), patience: patience{time.Minute, 1 << 10}, http2: name,
			deadline: func(at time.Time) error { set = append(set, at); return nil },
		}
		if got, err := io.ReadAll(p); string(got) != "ab" || err != nil {
			t.Fatal(string(got), err)
		}
		if len(set) != want || time.Until(set[0]) < 50*time.Second || !set[len(set)-1].IsZero() || name && !set[1].IsZero() {
			t.Errorf("HTTP/2 %v: deadlines %v", name, set)
		}
	}
}

// wroteHeaders tells its caller that the call was written, as net/http does.
type wroteHeaders struct{ next http.RoundTripper }

func (t wroteHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).WroteHeaders()
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
		return wroteHeaders{answers{http.Header{"Content-Type": {"application/json"}}, `{"result":{"response":"` + strings.Repeat("a", size) + `"},"success":true}`}}
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
				g := newGuarded(t, quota.Options{Limit: 10_000 * neuron}, workersai.Options{}, func(c *Config) { c.Transport = test.upstream })
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
					t.Errorf("let go after %v", took)
				}
				synctest.Wait()
				b := &bench{t: t, metrics: g.config.Metrics}
				if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
					t.Errorf("client_gone: %v", n)
				}
				if !strings.Contains(g.log.String(), `took nothing of the answer for 1m`) {
					t.Errorf("the log: %s", g.log)
				}
				if s := g.close(); s.Account.Used == 0 {
					t.Error("it cost nothing")
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
				if err != nil || strings.Count(string(answer), slowEvent) != events || !strings.HasSuffix(string(answer), "data: [DONE]\n\n") {
					t.Errorf("%d bytes, %v: %.200s", len(answer), err, answer)
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
	impatient := func(c *Config) { c.UploadPause, c.ReadPause = 50*time.Millisecond, 50*time.Millisecond }
	t.Run("a body that stops", func(t *testing.T) {
		b := newBench(t, http.HandlerFunc(endless), impatient)
		res, body := b.raw(postHead(chatPath, 1000) + "{")
		if e := b.envelope(body); res.StatusCode != 400 || e.Error.Name != "incomplete_request" || e.Error.Fault != "caller" ||
			!strings.Contains(e.Error.Message, "nothing more of the body came for 50ms") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("a reader that stops, HTTP/%d", major), func(t *testing.T) {
			b := newBench(t, http.HandlerFunc(endless), impatient)
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
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/run/"+testModel, strings.NewReader(`{"prompt":"x","stream":true}`))
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
				t.Errorf("%s, client_gone: %v", res.Proto, n)
			}
			if !strings.Contains(b.log.String(), "took nothing of the answer for 50ms") {
				t.Errorf("the log: %s", b.log)
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
	p.ServeHTTP(&broken{httptest.NewRecorder()}, httptest.NewRequestWithContext(context.Background(), "POST", "http://localhost"+chatPath, strings.NewReader(chat)))
	b := &bench{t: t, metrics: config.Metrics}
	if n := b.value("neuronward_requests_total", "result", "client_gone"); n != 1 {
		t.Errorf("client_gone: %v", n)
	}
}

type broken struct{ http.ResponseWriter }

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
