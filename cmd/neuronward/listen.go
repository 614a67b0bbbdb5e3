package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/cmd/neuronward/conns"
	"github.com/neuronward/neuronward/normalize"
)

// endpoints are the addresses that the listeners really have; admin is "" when it is off.
type endpoints struct{ app, admin string }

// listeners are bound before anything else is made, so that a port in use is the first thing that is reported.
type listeners struct{ app, admin net.Listener }

// drainingReason is what /readyz says of a process that is ending.
const drainingReason = "draining: this process is ending"

// takeoverWait is how long to wait for a process that is ending: its drain time, which is assumed to be ours, and then
// the time for calls that are cut to end, for connections to close and for usage to be written.
func takeoverWait(c *config.Config) time.Duration { return c.Drain + 3*cutGrace }

// listen binds both addresses. It waits where another neuronward that is ending has them, as when one is replaced on
// the same host; whatever else has them is an error at once.
func listen(ctx context.Context, c *config.Config, log *slog.Logger) (listeners, error) {
	const pause = 50 * time.Millisecond
	ln, err := bindBoth(ctx, c)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return ln, err
	}
	if !ending(ctx, c) {
		return bindBoth(ctx, c) // it may have ended while it was asked
	}
	log.Warn("waiting for the addresses: the process that has them is ending",
		"listen", c.Listen, "admin_listen", c.AdminListen, "max_wait", takeoverWait(c).String())
	retry := time.NewTicker(pause)
	defer retry.Stop()
	timeout := time.After(takeoverWait(c))
	for {
		select {
		case <-ctx.Done():
			return listeners{}, ctx.Err()
		case <-timeout:
			return listeners{}, fmt.Errorf("%w (after %v)", err, takeoverWait(c))
		case <-retry.C:
		}
		if ln, err = bindBoth(ctx, c); !errors.Is(err, syscall.EADDRINUSE) {
			return ln, err
		}
	}
}

// ending reports whether what listens on one of our addresses is a neuronward that drains.
func ending(ctx context.Context, c *config.Config) bool {
	const (
		maxAnswer = 16 << 10    // bytes
		maxWait   = time.Second // a neuronward answers at once; what does not is something else
	)
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if c.AdminListen != "" {
		status, body, err := ask(ctx, "http://"+callable(c.AdminListen)+"/readyz", maxAnswer)
		if err == nil && status == http.StatusServiceUnavailable && strings.HasPrefix(string(body), drainingReason) {
			return true
		}
	}
	// The other process may have a certificate where we have none.
	for _, scheme := range []string{"http", "https"} {
		_, body, err := ask(ctx, scheme+"://"+callable(c.Listen)+"/errors", maxAnswer)
		if f, ok := normalize.Parse(body); err == nil && ok && f.Code == normalize.ShuttingDown {
			return true
		}
	}
	return false
}

// bindBoth binds both addresses; its error names each variable whose address cannot be bound.
func bindBoth(ctx context.Context, c *config.Config) (listeners, error) {
	var ln listeners
	var errs []error
	bind := func(name string, at string) net.Listener {
		if at == "" {
			return nil
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			} else if op, ok := errors.AsType[*net.OpError](err); ok {
				err = op.Err
			}
			hint := "set another address"
			if errors.Is(err, syscall.EADDRINUSE) {
				hint = "stop what listens there, or set another address"
			}
			errs = append(errs, fmt.Errorf("%s: cannot listen on %s (%w); %s", name, at, err, hint))
			return nil
		}
		return l
	}
	ln.app = bind("NEURONWARD_LISTEN", c.Listen)
	ln.admin = bind("NEURONWARD_ADMIN_LISTEN", c.AdminListen)
	if len(errs) > 0 {
		ln.close()
	}
	return ln, errors.Join(errs...)
}

// limit returns ln with limits on its connections.
func (ln listeners) limit(c *config.Config, log *slog.Logger) listeners {
	fits, needed, allowed := conns.Fit(c.MaxConnections, c.MaxInFlight)
	if fits < c.MaxConnections {
		log.Warn("this process may open fewer files than its limits need, so fewer connections are accepted at once; "+
			"raise that (ulimit -n, LimitNOFILE), or lower NEURONWARD_MAX_CONNECTIONS",
			"allowed", allowed, "needed", needed, "max_connections", c.MaxConnections, "accepted", fits)
	}
	ln.app = conns.Limit(ln.app, fits, log)
	if ln.admin != nil {
		ln.admin = conns.Limit(ln.admin, conns.AdminLimit, log)
	}
	return ln
}

func (ln listeners) close() {
	for _, l := range []net.Listener{ln.app, ln.admin} {
		if l != nil {
			l.Close()
		}
	}
}

func (ln listeners) endpoints() endpoints {
	at := endpoints{app: ln.app.Addr().String()}
	if ln.admin != nil {
		at.admin = ln.admin.Addr().String()
	}
	return at
}

// callable turns the address of a listener into one that a caller on this machine can use.
func callable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}
