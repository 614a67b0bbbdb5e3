package redisstore

import (
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
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

// Replicas spend and return neurons over a wire that loses, repeats and reorders
// questions and answers. At no time do they hold more together than there is, and
// at the end nothing has vanished.
func TestBadWire(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []fault
	}{
		{"lost questions", []fault{lostQuestion}},
		{"lost answers", []fault{lostAnswer}},
		{"repeated answers", []fault{repeatedAnswer}},
		{"answers in another order", []fault{formerAnswer}},
		{"late questions", []fault{lateQuestion}},
		{"all of it", []fault{lostQuestion, lostAnswer, repeatedAnswer, formerAnswer, lateQuestion}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			badWire(t, c.faults)
		})
	}
}

// A connection on which each answer is the one to the question before would stay
// so: it is closed.
func TestShiftedAnswers(t *testing.T) {
	w := wireTo(t, shared)
	s := settled(t, open(t, w.url(), rand.Text(), patient))
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(0, 0, 10*n)))
	questions := 0
	w.set(func() fault {
		questions++
		if questions == 1 {
			return shiftedAnswers
		}
		return none
	})
	if st := send(t, s, b.report(request(0, 0, 20*n))); st.Granted[0] != 20*n {
		t.Errorf("b: got %v granted, want %v", st.Granted[0], 20*n)
	}
	st := send(t, s, a.report(request(0, 10*n, 0)))
	if st.Granted[0] != 0 || st.Balances[0].Held != 30*n {
		t.Errorf("a: got %v granted, %v held; want 0, %v", st.Granted[0], st.Balances[0].Held, 30*n)
	}
	if questions > 4 {
		t.Errorf("got %d questions, want at most 4", questions)
	}
}

// A spender is a replica with what it knows to be granted: it reports all that it
// has, as a ledger does.
type spender struct {
	replica
	store       *Store
	spent, held quota.Neurons
}

func badWire(t *testing.T, faults []fault) {
	const limit = 100 * n
	rng := mathrand.New(mathrand.NewPCG(1, uint64(len(faults))<<8|uint64(faults[0])))
	w, account := wireTo(t, shared), rand.Text()
	var all []*spender
	for i := range 4 {
		s := open(t, w.url(), account, Options{Timeout: 20 * time.Millisecond}) // which each late question takes
		settled(t, s)
		all = append(all, &spender{replica: replica{name: quota.Replica(fmt.Sprint("h", i))}, store: s})
	}
	faultRNG := mathrand.New(mathrand.NewPCG(2, 2)) // used by the connections alone
	w.set(func() fault {
		if faultRNG.IntN(3) > 0 {
			return none
		}
		return faults[faultRNG.IntN(len(faults))]
	})
	failed := 0
	for round := range 250 {
		x := all[rng.IntN(len(all))]
		back := quota.Neurons(rng.Int64N(int64(x.held) + 1))
		spend := quota.Neurons(rng.Int64N(int64(x.held-back)/8 + 1))
		x.held -= back + spend
		x.spent += spend
		c := quota.BudgetRequest{
			Budget: quota.Account, Limit: limit, Spent: x.spent, Held: x.held,
			Min: 1, Want: quota.Neurons(rng.Int64N(int64(limit) / 2)),
		}
		st, err := x.store.Sync(t.Context(), x.report(c))
		if err != nil {
			failed++
		} else {
			x.held += st.Granted[0]
		}
		if rng.IntN(4) == 0 {
			w.deliver()
		}
		var sum quota.Neurons
		for _, y := range all {
			sum += y.spent + y.held
		}
		if sum > limit {
			t.Fatalf("round %d: got %v spent or held, want at most %v", round, sum, limit)
		}
	}
	w.set(nil)
	w.deliver()
	t.Logf("%d of 250 reports failed", failed)
	var spent quota.Neurons
	var last quota.Balance
	for _, x := range all {
		x.held = 0
		spent += x.spent
		s := open(t, w.url(), account, patient)
		r := x.report(quota.BudgetRequest{Budget: quota.Account, Limit: limit, Spent: x.spent})
		last = send(t, s, r).Balances[0]
	}
	if last.Spent != spent || last.Free != limit-spent {
		t.Errorf("got %v spent, %v free; want %v, %v", last.Spent, last.Free, spent, limit-spent)
	}
	if last.Held+last.Lost != 0 {
		t.Errorf("got %v held or lost, want 0", last.Held+last.Lost)
	}
}
