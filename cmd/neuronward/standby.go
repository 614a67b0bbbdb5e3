package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/health"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy"
)

// A standby answers on both listeners while a process waits for the one before it: the process is alive and not ready,
// and it refuses calls. The listeners stay open after it; a connection that arrives in between waits in them.
type standby struct {
	ln      listeners
	log     *slog.Logger
	servers []*http.Server
	running sync.WaitGroup
	conns   openConns
}

// A keptListener is a listener that its server can only leave: Close makes Accept return and closes nothing.
type keptListener struct{ net.Listener }

// deadlineSetter is what a keptListener must be.
type deadlineSetter interface{ SetDeadline(time.Time) error }

// Accept says that the listener is closed when it was left: a server tries again after a deadline.
func (l keptListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return c, err
}

// Close makes Accept return.
func (l keptListener) Close() error { return l.Listener.(deadlineSetter).SetDeadline(time.Unix(1, 0)) }

// start begins to answer.
func (s *standby) start(app, admin *http.Server) {
	for _, at := range []struct {
		ln     net.Listener
		server *http.Server
	}{{s.ln.app, app}, {s.ln.admin, admin}} {
		if at.ln == nil {
			continue
		}
		s.conns.count(at.server)
		s.servers = append(s.servers, at.server)
		s.running.Go(func() {
			if err := serveOn(at.server, keptListener{at.ln}); !errors.Is(err, net.ErrClosed) {
				s.log.Error("a listener failed", "error", err)
			}
		})
	}
}

// stop leaves the listeners to the servers that follow. It does nothing if start was not called.
func (s *standby) stop() {
	if len(s.servers) == 0 {
		return
	}
	for _, ln := range []net.Listener{s.ln.app, s.ln.admin} {
		if ln != nil {
			keptListener{ln}.Close() //nolint:errcheck // serving it fails if it is broken
		}
	}
	s.running.Wait()
	s.conns.answer(s.servers...)
	for _, server := range s.servers {
		server.Close() //nolint:errcheck // the listener stays open
	}
	for _, ln := range []net.Listener{s.ln.app, s.ln.admin} {
		if ln != nil {
			ln.(deadlineSetter).SetDeadline(time.Time{}) //nolint:errcheck // serving it fails if it is broken
		}
	}
}

// notYet is what callers are told meanwhile.
const notYet = "This proxy process is starting and takes no calls yet: it waits for another one to end."

// standBy logs that this process waits for another one, whose id is other, to release the store, and answers until
// then.
func (in *invocation) standBy(s *standby, c *config.Config, m *metrics.Metrics, other string) {
	at := s.ln.endpoints()
	s.log.Warn("waiting for the store: another process has it; "+
		"until it lets go this one is not ready and refuses calls",
		"store", c.Store.String(), "process", other, "max_wait", takeoverWait(c).String(),
		"listen", at.app, "admin_listen", at.admin)
	waits := health.Verdict{
		Reason: "starting: waiting for another process (" + other + ") to let the store go, " + c.Store.String(),
		Code:   normalize.ShuttingDown, Message: notYet,
	}
	o := in.adminOptions(c, m, func() string { return waits.Reason })
	settings := proxyConfig(c, &quotas{}, s.log, m)
	settings.NotYet = notYet
	if p, err := proxy.New(settings); err == nil { // else serve reports why
		app := withHealth(c, p, func() health.Verdict { return waits })
		s.start(newAppServer(app, s.log, c.Certificate), newHTTPServer(admin.Waiting(o), s.log))
	}
}
