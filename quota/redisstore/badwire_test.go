package redisstore

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

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
