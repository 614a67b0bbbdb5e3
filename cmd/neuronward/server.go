package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
)

// cutGrace is how long calls that are cut may take to end with an error to their callers.
const cutGrace = 2 * time.Second

// calls are what a server waits for when it ends.
type calls interface {
	Drain()                // refuse new ones
	Idle() <-chan struct{} // closed when draining and none is left
	Abort()                // cut those that are left
}

// A server is the two listeners of one process, from the first call to the last.
type server struct {
	log        *slog.Logger
	calls      calls
	app, admin *http.Server // admin is nil when it is off
	ln         listeners
	drain      time.Duration

	serving sync.WaitGroup // app
	conns   openConns      // of app
}

// newHTTPServer returns a server of one of the listeners, which serveOn serves.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server { return conns.NewServer(h, log) }

// newAppServer returns the server that apps call: HTTP/1.1 and HTTP/2 over TLS with a certificate, HTTP/1.1
// without one.
func newAppServer(h http.Handler, log *slog.Logger, cert *config.Certificate) *http.Server {
	s := newHTTPServer(h, log)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	if cert == nil {
		return s
	}
	s.Protocols.SetHTTP2(true)
	s.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: cert.Present, NextProtos: []string{"h2", "http/1.1"},
	}
	return s
}

// serveOn serves ln, over TLS if s is made for it.
func serveOn(s *http.Server, ln net.Listener) error { return conns.Serve(s, ln) }

// run serves until ctx ends, a signal arrives or a listener fails, and then drains. The error is that of a listener, or
// says that a second signal cut the calls in flight.
func (s *server) run(ctx context.Context, signals <-chan os.Signal) error {
	failed := make(chan error, 2)
	s.conns.count(s.app)
	s.serving.Go(func() { failed <- serveOn(s.app, s.ln.app) })
	if s.admin != nil {
		go func() { failed <- serveOn(s.admin, s.ln.admin) }()
	}
	var failure error
	var reason string
	select {
	case <-ctx.Done():
		reason = context.Cause(ctx).Error()
	case sig := <-signals:
		reason = sig.String()
	case failure = <-failed:
	}
	// Before anything is logged, which may take as long as the log's reader likes.
	s.calls.Drain()
	until := time.Now().Add(s.drain)
	if failure != nil {
		s.log.Error("a listener failed", "error", failure)
	} else {
		s.log.Info("ending", "reason", reason)
	}
	return errors.Join(failure, s.end(signals, until))
}

var errCut = errors.New("a second signal cut the calls in flight")

// end lets the calls in flight finish until the drain time is over, cuts what is left, and closes the listeners. The
// admin listener is closed last, so that readiness can be asked all the time.
func (s *server) end(signals <-chan os.Signal, until time.Time) error {
	s.log.Info("draining: not ready, new calls are refused, those in flight may finish",
		"drain", config.ShortDuration(s.drain))
	err := s.await(signals, time.Until(until))
	switch {
	case err == nil:
		s.log.Info("no call is in flight")
	case errors.Is(err, errCut):
		s.log.Warn("second signal: calls in flight are cut, without an error to their callers")
		return errors.Join(err, s.close())
	default:
		s.log.Warn("the drain time is over; calls in flight are cut")
		s.calls.Abort()
		if errors.Is(s.await(signals, cutGrace), errCut) {
			return errors.Join(errCut, s.close())
		}
	}
	s.ln.app.Close()
	s.serving.Wait()
	s.conns.answer(s.app)
	// The last bytes of the last answers may still be in the server's buffers.
	ctx, cancel := context.WithTimeout(context.Background(), cutGrace)
	defer cancel()
	if err := s.app.Shutdown(ctx); err != nil {
		s.log.Warn("connections were still open", "error", err)
	}
	return s.close()
}

// await waits until no call is in flight, for d at most; the error says what happened first instead.
func (s *server) await(signals <-chan os.Signal, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.calls.Idle():
		return nil
	case <-signals:
		return errCut
	case <-timer.C:
		select {
		case <-s.calls.Idle(): // select takes either of two that are ready
			return nil
		default:
		}
		return context.DeadlineExceeded
	}
}

// close cuts every connection.
func (s *server) close() error {
	err := s.app.Close()
	if s.admin != nil {
		err = errors.Join(err, s.admin.Close())
	}
	return err
}
