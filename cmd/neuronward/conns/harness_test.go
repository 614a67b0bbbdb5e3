package conns

import (
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
)

// A pipeListener has the connections that it is given.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	passed chan struct{} // its deadline
}

func newPipeListener() *pipeListener {
	return &pipeListener{
		conns: make(chan net.Conn, 10_000), closed: make(chan struct{}), passed: make(chan struct{}),
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	passed := l.passed
	l.mu.Unlock()
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case <-passed:
		return nil, os.ErrDeadlineExceeded
	case c := <-l.conns:
		return c, nil
	}
}

func (l *pipeListener) SetDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.IsZero() {
		l.passed = make(chan struct{})
	} else {
		close(l.passed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// dial returns the caller's end of a connection from address.
func (l *pipeListener) dial(address string) net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- from{theirs, &net.TCPAddr{IP: net.ParseIP(address), Port: 1234}}
	return ours
}

// from is a connection that comes from a certain address.
type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// A logBuffer keeps what is logged.
type logBuffer struct{ logtest.Buffer }

func (l *logBuffer) count(text string) int { return strings.Count(l.String(), text) }

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// accepted is what Accept has returned so far.
type accepted struct {
	mu  sync.Mutex
	all []net.Conn
	err error
}

// acceptAll accepts until the listener says that it does not.
func acceptAll(l net.Listener) *accepted {
	a := &accepted{}
	go func() {
		for {
			c, err := l.Accept()
			a.mu.Lock()
			if err != nil {
				a.err = err
				a.mu.Unlock()
				return
			}
			a.all = append(a.all, c)
			a.mu.Unlock()
		}
	}()
	return a
}

func (a *accepted) wantCount(t *testing.T, what string, want int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) != want {
		t.Errorf("%s: got %d connections accepted, want %d", what, len(a.all), want)
	}
}

func (a *accepted) at(i int) net.Conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[i]
}

func (a *accepted) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
