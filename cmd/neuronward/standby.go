package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/admin"
	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/proxy"
)

// A standby answers on both listeners while a process waits for the one before it: it lives, it is not ready, and it takes no
// calls. The listeners outlive it; a connection that comes while one follows the other waits in them.
type standby struct {
	ln      listeners
	log     *slog.Logger
	servers []*http.Server
	running sync.WaitGroup
}

// lent is a listener that its server cannot close, only leave.
type lent struct{ net.Listener }

// deadliner is what a lent listener must be.
type deadliner interface{ SetDeadline(time.Time) error }

// Close makes Accept return.
func (l lent) Close() error { return l.Listener.(deadliner).SetDeadline(time.Unix(1, 0)) }

// serve begins to answer.
func (s *standby) serve(app, admin *http.Server) {
	for _, at := range []struct {
		ln     net.Listener
		server *http.Server
	}{{s.ln.app, app}, {s.ln.admin, admin}} {
		if at.ln == nil {
			continue
		}
		s.servers = append(s.servers, at.server)
		s.running.Go(func() {
			if err := serveOn(at.server, lent{at.ln}); !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("a listener failed", "error", err)
			}
		})
	}
}

// end leaves the listeners to whoever serves them next. It does nothing if serve was not called.
func (s *standby) end() {
	if len(s.servers) == 0 {
		return
	}
	const most = 500 * time.Millisecond // every answer is short; connections without a call are not waited for
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for _, server := range s.servers {
		server.Shutdown(ctx) //nolint:errcheck // what is left is cut
		server.Close()       //nolint:errcheck // the listener stays open
	}
	s.running.Wait()
	for _, ln := range []net.Listener{s.ln.app, s.ln.admin} {
		if ln != nil {
			ln.(deadliner).SetDeadline(time.Time{}) //nolint:errcheck // one that is broken fails when it is served
		}
	}
}

// standIn says that the process waits for another one, whose id is other, to let the store go, and answers meanwhile.
func (in *invocation) standIn(s *standby, c *config.Config, m *metrics.Metrics, other string) {
	at := s.ln.endpoints()
	s.log.Warn("waiting for the store: another process has it; until it lets go this one is not ready and refuses calls",
		"store", c.Store.String(), "process", other, "patience", takeoverWait(c).String(), "listen", at.app, "admin_listen", at.admin)
	o := in.adminOptions(c, m, func() string {
		return "starting: waiting for another process (" + other + ") to let the store go, " + c.Store.String()
	})
	settings := proxyConfig(c, &neurons{}, s.log, m)
	settings.NotYet = "This proxy process is starting and takes no calls yet: it waits for another one to end."
	if p, err := proxy.New(settings); err == nil { // else serve will say why
		s.serve(newAppServer(p, s.log, c.Certificate), newHTTPServer(admin.Waiting(o), s.log))
	}
}
