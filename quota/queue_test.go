package quota_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// asked is a call that waits.
type asked struct {
	res  *quota.Reservation
	d    quota.Decision
	err  error
	done chan struct{}
}

// ask reserves in a goroutine of its own and returns once it is decided or waits.
func ask(ctx context.Context, l *quota.Ledger, c quota.Call) *asked {
	a := &asked{done: make(chan struct{})}
	go func() {
		a.res, a.d, a.err = l.Reserve(ctx, c)
		close(a.done)
	}()
	synctest.Wait()
	return a
}

// decided reports whether the call is decided by now.
func (a *asked) decided() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (a *asked) mustWait(t *testing.T) {
	t.Helper()
	if a.decided() {
		t.Fatalf("got %+v, %v, want the call to wait", a.d, a.err)
	}
}

func (a *asked) must(t *testing.T, want quota.Outcome, waited time.Duration) {
	t.Helper()
	if !a.decided() {
		t.Fatalf("the call still waits, want it %v", want)
	}
	if a.err != nil {
		t.Fatalf("got the error %v, want the call %v", a.err, want)
	}
	equal(t, "outcome", a.d.Outcome, want)
	equal(t, "waited", a.d.Waited, waited)
	equal(t, "there is a reservation", a.res != nil, want == quota.Allowed)
	if t.Failed() {
		t.FailNow()
	}
}

// mustFail fails the test where the call did not end with an error of the wanted kind, and without a reservation.
func (a *asked) mustFail(t *testing.T, want error) {
	t.Helper()
	if !a.decided() {
		t.Fatalf("the call still waits, want the error %v", want)
	}
	fails(t, "Reserve", a.err, want)
	equal(t, "there is a reservation", a.res != nil, false)
}

// bubble runs a test on a ledger of 100 neurons of which 60 are reserved.
func bubble(t *testing.T, test func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation)) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{Limit: 100 * n, Wait: 10 * time.Second})
		test(t, l, take(t, l, quota.Call{Estimate: 60 * n}))
	})
}

func TestWaitingCallsAreWokenInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		first := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		second := ask(t.Context(), l, quota.Call{Estimate: 50 * n})
		third := ask(t.Context(), l, quota.Call{Estimate: 45 * n})
		first.mustWait(t)
		time.Sleep(3 * time.Second)
		inFlight.Release()
		first.must(t, quota.Allowed, 3*time.Second)
		second.mustWait(t)
		time.Sleep(time.Second)
		first.res.Settle(settle(5 * n))
		second.must(t, quota.Allowed, 4*time.Second)
		third.must(t, quota.Allowed, 4*time.Second)
	})
}

func TestASmallerOneMayOvertake(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		large := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		small := ask(t.Context(), l, quota.Call{Estimate: 40 * n})
		large.mustWait(t)
		small.must(t, quota.Allowed, 0)
		small.res.Release()
		large.mustWait(t)
	})
}

// Small calls come without end; each fits at once. The large one gets half of what comes back while it waits.
func TestALargeOneDoesNotStarve(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		stop := make(chan struct{})
		var small sync.WaitGroup
		defer small.Wait()
		defer close(stop)
		inFlight.Release()
		for range 9 {
			small.Go(func() {
				for {
					res, _, _ := l.Reserve(t.Context(), quota.Call{Estimate: 11 * n})
					time.Sleep(700 * time.Millisecond)
					if res != nil {
						res.Release()
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
			time.Sleep(70 * time.Millisecond)
		}
		large := ask(t.Context(), l, quota.Call{Estimate: 90 * n})
		large.mustWait(t)
		time.Sleep(5 * time.Second)
		if !large.decided() || large.res == nil {
			t.Fatalf("got %+v, want a reservation", large.d)
		}
		large.res.Release()
	})
}

func TestContendedAfterTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		time.Sleep(10*time.Second - 1)
		a.mustWait(t)
		time.Sleep(time.Nanosecond)
		a.must(t, quota.Contended, 10*time.Second)
		equal(t, "used", a.d.Used, 0)
		equal(t, "reserved", a.d.Reserved, 60*n)
		equal(t, "remaining", a.d.Remaining, 40*n)
		s := l.Snapshot()
		equal(t, "calls that wait", s.Waiting, 0)
		equal(t, "reserved afterwards", s.Account.Reserved, 60*n)
	})
}

// What is set aside for one that then gives up goes to the next at once, not to nobody.
func TestWhatWasSetAsideComesFree(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		other := take(t, l, quota.Call{Estimate: 40 * n})
		large := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		other.Release()
		time.Sleep(6 * time.Second)
		small := ask(t.Context(), l, quota.Call{Estimate: 30 * n})
		small.mustWait(t)
		time.Sleep(4 * time.Second)
		large.must(t, quota.Contended, 10*time.Second)
		small.must(t, quota.Allowed, 4*time.Second)
		small.res.Release()

		other = take(t, l, quota.Call{Estimate: 40 * n})
		ctx, cancel := context.WithCancel(t.Context())
		large = ask(ctx, l, quota.Call{Estimate: 60 * n})
		other.Release()
		small = ask(t.Context(), l, quota.Call{Estimate: 30 * n})
		small.mustWait(t)
		cancel()
		small.must(t, quota.Allowed, 0)
		large.mustFail(t, context.Canceled)
		small.res.Release()
		inFlight.Release()
		s := l.Snapshot()
		equal(t, "reserved in the end", s.Account.Reserved, 0)
		equal(t, "calls that wait", s.Waiting, 0)
	})
}

// One client's shortage is no other client's.
func TestAClientThatWaitsHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		x := quota.Call{Estimate: 8 * n, Client: "x", ClientLimit: 10 * n}
		held := take(t, l, x)
		waits := ask(t.Context(), l, x)
		time.Sleep(6 * time.Second)
		waits.mustWait(t)
		y := quota.Call{Estimate: 8 * n, Client: "y", ClientLimit: 10 * n}
		take(t, l, y).Release()
		x.Estimate = n
		smaller := ask(t.Context(), l, x)
		smaller.must(t, quota.Allowed, 0) // nothing has come back that was set aside for the one before
		held.Settle(settle(n))
		waits.must(t, quota.Allowed, 6*time.Second)
		waits.res.Settle(settle(9 * n))
		equal(t, "the budget that refuses", refused(t, l, x, quota.Exhausted).Budget, quota.ClientBudget("x"))
		smaller.res.Release()
	})
}

// The wait ends as soon as nothing that comes back would do.
func TestAWaitThatHasBecomeHopeless(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		low := ask(t.Context(), l, quota.Call{Estimate: 30 * n, Priority: quota.Low})
		time.Sleep(time.Second)
		a.mustWait(t)
		low.mustWait(t)
		inFlight.Settle(settle(51 * n))
		a.must(t, quota.Exhausted, time.Second)
		low.must(t, quota.PriorityFloor, time.Second)
	})
}

func TestCloseEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		a := ask(t.Context(), l, quota.Call{Estimate: 60 * n})
		a.mustWait(t)
		closed := make(chan error, 1)
		go func() { closed <- l.Close(t.Context()) }()
		a.mustFail(t, quota.ErrClosed)
		inFlight.Release()
		fails(t, "Close", <-closed, nil)
	})
}

// A call of low priority that waits for its floor does not set anything aside.
func TestAFloorHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T, l *quota.Ledger, inFlight *quota.Reservation) {
		low := ask(t.Context(), l, quota.Call{Estimate: 30 * n, Priority: quota.Low})
		time.Sleep(7 * time.Second)
		low.mustWait(t)
		within(t, "held while a call waits that may not have more", l.Snapshot().Account.Held, 0, 61*n)
		high := take(t, l, quota.Call{Estimate: 40 * n})
		high.Release()
		inFlight.Settle(settle(50 * n))
		low.must(t, quota.Allowed, 7*time.Second)
	})
}
