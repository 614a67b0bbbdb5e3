package redisstore

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A wire passes TCP connections on to a server's socket, with faults. What comes in
// one piece is a question or an answer: they are short.
type wire struct {
	ln net.Listener

	mu    sync.Mutex
	to    *server
	fault func() fault // for each piece from the client; nil: none
	late  []func()     // deliver questions that are late
	ends  []net.Conn
}

// A fault is what becomes of a question or its answer.
type fault int

const (
	none           fault = iota
	lostQuestion         // the question is lost, with the connection
	lostAnswer           // the answer is lost, with the connection
	repeatedAnswer       // the answer comes twice
	formerAnswer         // the answer to the question before comes again, then this one
	shiftedAnswers       // from here on each answer of the connection is the one to the question before
	lateQuestion         // the question arrives after those that follow
)

func wireTo(t testing.TB, to *server) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{ln: ln, to: to}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		w.cut()
		serving.Wait()
	})
	return w
}

func (w *wire) url() string { return "redis://" + w.ln.Addr().String() }

// serve passes on one connection, question by question.
func (w *wire) serve(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	path := w.to.socket()
	w.mu.Unlock()
	server, err := net.Dial("unix", path)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.ends = append(w.ends, client, server)
	w.mu.Unlock()
	var next fault // of the answer that comes
	var mu sync.Mutex
	var back sync.WaitGroup
	arrived := make(chan struct{})
	back.Go(func() {
		defer close(arrived)
		defer client.Close()
		var before []byte
		lags := false
		buf := make([]byte, 1<<20)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			f := next
			mu.Unlock()
			lags = lags || f == shiftedAnswers
			if lags {
				client.Write(before)
				before = append([]byte(nil), buf[:n]...)
				continue
			}
			switch f {
			case lostAnswer, lateQuestion:
				return
			case repeatedAnswer:
				client.Write(append(buf[:n:n], buf[:n]...))
			case formerAnswer:
				client.Write(append(before, buf[:n]...))
			default:
				client.Write(buf[:n])
			}
			before = append([]byte(nil), buf[:n]...)
		}
	})
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		f := none
		w.mu.Lock()
		if w.fault != nil {
			f = w.fault()
		}
		w.mu.Unlock()
		if f == lostQuestion {
			break
		}
		if f == lateQuestion {
			// The client closes this connection; its question arrives later.
			piece := append([]byte(nil), buf[:n]...)
			mu.Lock()
			next = lateQuestion
			mu.Unlock()
			w.mu.Lock()
			w.late = append(w.late, func() {
				server.Write(piece)
				<-arrived
				server.Close()
			})
			w.mu.Unlock()
			io.Copy(io.Discard, client)
			client.Close()
			return
		}
		mu.Lock()
		next = f
		mu.Unlock()
		server.Write(buf[:n])
	}
	client.Close()
	server.Close()
	back.Wait()
}

// deliver lets late questions arrive.
func (w *wire) deliver() {
	w.mu.Lock()
	late := w.late
	w.late = nil
	w.mu.Unlock()
	for _, arrive := range late {
		arrive()
	}
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ends {
		c.Close()
	}
	w.ends = nil
}

// redirect leads new connections to another server, and closes the present ones.
func (w *wire) redirect(to *server) {
	w.mu.Lock()
	w.to = to
	w.mu.Unlock()
	w.cut()
}

func (w *wire) set(f func() fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}
