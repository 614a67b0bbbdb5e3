package redisstore

import (
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/neuronward/neuronward/quota"
)

// A wire is a TCP connection to a server's socket on which things go wrong.
// What comes in one piece is a question or an answer: they are short.
type wire struct {
	ln net.Listener

	mu    sync.Mutex
	to    *server
	fault func() fault // for each piece from the client; nil: none
	held  []func()     // questions under way
	ends  []net.Conn
}

// A fault is what becomes of a question or its answer.
type fault int

const (
	none     fault = iota
	refused        // the question is lost, with the connection
	lost           // the answer is lost, with the connection
	repeated       // the answer comes twice
	former         // the answer to the question before comes again, then this one
	behind         // from here on each answer of the connection is the one to the question before
	late           // the question arrives after those that follow
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
			lags = lags || f == behind
			if lags {
				client.Write(before)
				before = append([]byte(nil), buf[:n]...)
				continue
			}
			switch f {
			case lost, late:
				return
			case repeated:
				client.Write(append(buf[:n:n], buf[:n]...))
			case former:
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
		if f == refused {
			break
		}
		if f == late {
			// The client gives this connection up; what it asked is still under way.
			piece := append([]byte(nil), buf[:n]...)
			mu.Lock()
			next = late
			mu.Unlock()
			w.mu.Lock()
			w.held = append(w.held, func() {
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

// release lets what was held back arrive.
func (w *wire) release() {
	w.mu.Lock()
	held := w.held
	w.held = nil
	w.mu.Unlock()
	for _, arrive := range held {
		arrive()
	}
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ends {
		c.Close()
	}
	w.ends = nil
}

// lead leads new connections to another server, and cuts those that are.
func (w *wire) lead(to *server) {
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

// Holders that spend and give back over a wire that loses, repeats and reorders
// what they say and hear: at no time do they hold more together than there is,
// and at the end nothing has vanished.
func TestBadWire(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []fault
	}{
		{"lost questions", []fault{refused}},
		{"lost answers", []fault{lost}},
		{"repeated answers", []fault{repeated}},
		{"answers in another order", []fault{former}},
		{"late questions", []fault{late}},
		{"all of it", []fault{refused, lost, repeated, former, late}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			badWire(t, c.faults)
		})
	}
}

// A connection on which each answer is the one to the question before would
// stay so: it is given up.
func TestConnectionBehind(t *testing.T) {
	w := wireTo(t, shared)
	s := old(t, open(t, w.url(), rand.Text(), patient))
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(0, 0, 10*n)))
	questions := 0
	w.set(func() fault {
		questions++
		if questions == 1 {
			return behind
		}
		return none
	})
	if st := exchange(t, s, b.report(of(0, 0, 20*n))); st.Granted[0] != 20*n {
		t.Errorf("%+v", st)
	}
	if st := exchange(t, s, a.report(of(0, 10*n, 0))); st.Granted[0] != 0 || st.Balances[0].Held != 30*n || questions > 4 {
		t.Errorf("%+v after %d questions", st, questions)
	}
}

// A spender is a holder as a ledger is one: what it has is what it knows to be
// granted, and what it says is all that it has.
type spender struct {
	holder
	store       *Store
	spent, held quota.Neurons
}

func badWire(t *testing.T, faults []fault) {
	const limit = 100 * n
	rng := mathrand.New(mathrand.NewPCG(1, uint64(len(faults))<<8|uint64(faults[0])))
	w, account := wireTo(t, shared), rand.Text()
	var all []*spender
	for i := range 4 {
		s := open(t, w.url(), account, Options{})
		old(t, s)
		all = append(all, &spender{holder: holder{name: quota.Replica(fmt.Sprint("h", i))}, store: s})
	}
	luck := mathrand.New(mathrand.NewPCG(2, 2)) // of the connections, which have it to themselves
	w.set(func() fault {
		if luck.IntN(3) > 0 {
			return none
		}
		return faults[luck.IntN(len(faults))]
	})
	failed := 0
	for round := range 250 {
		x := all[rng.IntN(len(all))]
		back := quota.Neurons(rng.Int64N(int64(x.held) + 1))
		spend := quota.Neurons(rng.Int64N(int64(x.held-back)/8 + 1))
		x.held -= back + spend
		x.spent += spend
		c := quota.BudgetRequest{Budget: quota.Account, Limit: limit, Spent: x.spent, Held: x.held, Min: 1, Want: quota.Neurons(rng.Int64N(int64(limit) / 2))}
		st, err := x.store.Sync(t.Context(), x.report(c))
		if err != nil {
			failed++
		} else {
			x.held += st.Granted[0]
		}
		if rng.IntN(4) == 0 {
			w.release()
		}
		var sum quota.Neurons
		for _, y := range all {
			sum += y.spent + y.held
		}
		if sum > limit {
			t.Fatalf("round %d: %v are spent or held, of %v", round, sum, limit)
		}
	}
	w.set(nil)
	w.release()
	t.Logf("%d of 250 reports failed", failed)
	var spent, held quota.Neurons
	var last quota.Balance
	for _, x := range all {
		x.held = 0
		spent += x.spent
		s := open(t, w.url(), account, patient)
		last = exchange(t, s, x.report(quota.BudgetRequest{Budget: quota.Account, Limit: limit, Spent: x.spent})).Balances[0]
	}
	if last.Spent != spent || last.Held+last.Lost != held || last.Free != limit-spent {
		t.Errorf("%v were spent: %+v", spent, last)
	}
}
