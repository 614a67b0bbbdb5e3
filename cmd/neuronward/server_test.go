package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
)

// fakeCalls are calls in flight that end when the test says so.
type fakeCalls struct {
	idle           chan struct{}
	drained, ended time.Time
	endOnAbort     bool
}

func (f *fakeCalls) Drain()                { f.drained = time.Now() }
func (f *fakeCalls) Idle() <-chan struct{} { return f.idle }

func (f *fakeCalls) Abort() {
	f.ended = time.Now()
	if f.endOnAbort {
		close(f.idle)
	}
}

// silentListener never has a connection; a bubble's clock moves while it is waited for.
type silentListener struct{ closed chan struct{} }

func (l silentListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l silentListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l silentListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func TestServerEnds(t *testing.T) {
	const drain = 30 * time.Second
	cases := []struct {
		name       string
		endOnAbort bool
		idleAfter  time.Duration   // when the calls in flight end by themselves; 0 never
		signals    []time.Duration // when a signal comes
		wantErr    error
		took       time.Duration // from the first signal to the end
		aborted    bool
		logged     string // what is logged, in this order
	}{
		{
			name: "calls finish in time", idleAfter: 10 * time.Second, signals: []time.Duration{time.Second},
			took: 9 * time.Second, logged: `ending.*draining.*no call is in flight`,
		},
		{
			name: "calls take too long", endOnAbort: true, signals: []time.Duration{time.Second},
			took: drain, aborted: true, logged: `draining.*the drain time is over`,
		},
		{
			name: "calls that not even a cut ends", signals: []time.Duration{time.Second},
			took: drain + cutGrace, aborted: true, logged: `the drain time is over`,
		},
		{
			name: "second signal", signals: []time.Duration{time.Second, 3 * time.Second},
			wantErr: errCut, took: 2 * time.Second, logged: `draining.*second signal`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				log := slog.New(slog.NewTextHandler(&out, nil))
				f := &fakeCalls{idle: make(chan struct{}), endOnAbort: c.endOnAbort}
				s := &server{
					log: log, calls: f, drain: drain,
					app: newHTTPServer(http.NotFoundHandler(), log), admin: newHTTPServer(http.NotFoundHandler(), log),
					ln: listeners{silentListener{make(chan struct{})}, silentListener{make(chan struct{})}},
				}
				signals := make(chan os.Signal, len(c.signals))
				for _, after := range c.signals {
					time.AfterFunc(after, func() { signals <- syscall.SIGTERM })
				}
				if c.idleAfter > 0 {
					time.AfterFunc(c.idleAfter, func() { close(f.idle) })
				}
				begin := time.Now()
				err := s.run(t.Context(), signals)
				if !errors.Is(err, c.wantErr) || (c.wantErr == nil) != (err == nil) {
					t.Errorf("run returned %v, want %v", err, c.wantErr)
				}
				if took := time.Since(begin) - c.signals[0]; took != c.took {
					t.Errorf("the end took %v, want %v", took, c.took)
				}
				if f.drained.Sub(begin) != c.signals[0] || f.ended.IsZero() == c.aborted {
					t.Errorf("drained at %v, aborted: %v, want %v", f.drained.Sub(begin), !f.ended.IsZero(), c.aborted)
				}
				if !regexp.MustCompile(`(?s)` + c.logged).MatchString(out.String()) {
					t.Errorf("logged, want %s:\n%s", c.logged, out.String())
				}
			})
		})
	}
}

// brokenListener fails at once.
type brokenListener struct{ silentListener }

var errBroken = errors.New("broken listener")

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

func TestServerTellsWhenAListenerFails(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	f := &fakeCalls{idle: make(chan struct{})}
	close(f.idle)
	s := &server{
		log: log, calls: f, drain: time.Minute, app: newHTTPServer(http.NotFoundHandler(), log),
		ln: listeners{app: brokenListener{silentListener{make(chan struct{})}}},
	}
	if err := s.run(context.Background(), nil); !errors.Is(err, errBroken) {
		t.Errorf("run returned %v, want %v", err, errBroken)
	}
	if f.drained.IsZero() {
		t.Error("got calls in flight that are not drained, want them drained")
	}
}

func TestPortsInUseAreToldTogether(t *testing.T) {
	var taken []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		taken = append(taken, l.Addr().String())
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), nil, []string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "NEURONWARD_LISTEN=" + taken[0], "NEURONWARD_ADMIN_LISTEN=" + taken[1],
		"GOGC=100", "NEURONWARD_STORE=memory:", "CLOUDFLARE_API_TOKEN=" + fakeToken, // else it warns
	}, strings.NewReader(""), &out, &errs)
	const why = " (bind: address already in use); stop what listens there, or set another address\n"
	equal(t, "exit", code, exitFailed)
	equal(t, "stdout", out.String(), "")
	equal(t, "stderr", errs.String(), "neuronward: NEURONWARD_LISTEN: cannot listen on "+taken[0]+why+
		"neuronward: NEURONWARD_ADMIN_LISTEN: cannot listen on "+taken[1]+why)
}

// pipeListener has the one connection that it is given.
type pipeListener struct {
	silentListener
	conn chan net.Conn
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// A request that comes on a connection which was accepted before the process ended has an answer, whatever the process
// does at that moment.
func TestServerAnswersWhatComesAsItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		f := &fakeCalls{idle: make(chan struct{})}
		close(f.idle)
		conn := make(chan net.Conn)
		s := &server{
			log: log, calls: f, drain: time.Minute, app: newHTTPServer(http.NotFoundHandler(), log),
			ln: listeners{app: conns.Limit(pipeListener{silentListener{make(chan struct{})}, conn}, 10, log)},
		}
		signals := make(chan os.Signal, 1)
		ended := make(chan error, 1)
		go func() { ended <- s.run(t.Context(), signals) }()
		ours, theirs := net.Pipe()
		conn <- theirs
		synctest.Wait()
		signals <- syscall.SIGTERM
		synctest.Wait() // it ends
		if _, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(ours)
		if err != nil {
			t.Error(err)
		}
		contains(t, "the answer", string(answer), "HTTP/1.1 404 Not Found\r\n")
		contains(t, "the answer", string(answer), "\r\nConnection: close\r\n")
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Of callers that come on new connections all the time, none loses a request that was read, however often a process
// ends: what it gets instead of an answer comes from the system, which refuses or resets what was not accepted.
func TestServerEndsUnderLoad(t *testing.T) {
	t.Parallel()
	const rounds, callers, calls = 10, 16, 200
	log := slog.New(slog.DiscardHandler)
	for range rounds {
		f := &fakeCalls{idle: make(chan struct{})}
		close(f.idle)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &server{
			log: log, calls: f, drain: time.Minute, app: newHTTPServer(http.NotFoundHandler(), log),
			ln: listeners{app: conns.Limit(l, 1000, log)},
		}
		signals := make(chan os.Signal, 1)
		var answered atomic.Int64
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				for {
					res, err := client.Get("http://" + l.Addr().String())
					if err == nil {
						_, err = io.Copy(io.Discard, res.Body)
						res.Body.Close()
					}
					switch {
					case err == nil:
						if answered.Add(1) == calls {
							signals <- syscall.SIGTERM
						}
					case errors.Is(err, syscall.ECONNREFUSED):
						return
					case !errors.Is(err, syscall.ECONNRESET):
						t.Errorf("a request has the error %v, want an answer", err)
					}
				}
			})
		}
		if err := s.run(t.Context(), signals); err != nil {
			t.Error(err)
		}
		group.Wait()
	}
}

// What a caller may not take its time with before a handler is there to say so.
func TestSlowCallersAreLetGo(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		every      time.Duration // between the bytes of what is sent
		answered   bool
		after      time.Duration
	}{
		{
			"a header that never ends", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("a", 1000),
			time.Second, true, 10 * time.Second,
		},
		{"nothing", "", 0, false, 10 * time.Second},
		{"no second request", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0, true, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := slog.New(slog.DiscardHandler)
				s := newHTTPServer(http.NotFoundHandler(), log)
				l := pipeListener{silentListener{make(chan struct{})}, make(chan net.Conn)}
				served, sent := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(served)
					_ = serveOn(s, conns.Limit(l, 10, log))
				}()
				ours, theirs := net.Pipe()
				l.conn <- theirs
				began := time.Now()
				go func() {
					defer close(sent)
					for _, b := range []byte(c.sent) {
						if _, err := ours.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(c.every)
					}
				}()
				answer, err := io.ReadAll(ours)
				if err != nil {
					t.Errorf("got %v, want the end of the connection", err)
				}
				// The connections are looked at once a second.
				if took := time.Since(began); took < c.after || took > c.after+2*time.Second {
					t.Errorf("closed after %v, want %v to 2 s more", took, c.after)
				}
				equal(t, "answered", len(answer) > 0, c.answered)
				<-sent
				s.Close()
				<-served
			})
		})
	}
}

// A listener without a certificate must not become one by accident, and one with a certificate takes nothing below TLS
// 1.2.
func TestAppServerProtocols(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	plain := newAppServer(nil, log, nil)
	equal(t, "plain: TLS", plain.TLSConfig != nil, false)
	equal(t, "plain: HTTP/2 without TLS", plain.Protocols.UnencryptedHTTP2(), false)
	equal(t, "plain: HTTP/2 over TLS", plain.Protocols.HTTP2(), false)
	secure := newAppServer(nil, log, new(config.Certificate))
	if secure.TLSConfig == nil {
		t.Fatal("got no TLS with a certificate, want it")
	}
	equal(t, "secure: lowest version", secure.TLSConfig.MinVersion, tls.VersionTLS12)
	equal(t, "secure: HTTP/2 without TLS", secure.Protocols.UnencryptedHTTP2(), false)
	equal(t, "secure: HTTP/2 over TLS", secure.Protocols.HTTP2(), true)
}
