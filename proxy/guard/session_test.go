package guard

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	nova      = "@cf/deepgram/nova-3"
	perSecond = 836.36 / 60 // what it costs
)

// sound is a session of that much sound.
func sound(n float64) workload.Session { return workload.Session{Seconds: n} }

// newSession returns a session of nova-3 on a ledger with a limit in seconds of its sound; 0: none.
func newSession(t *testing.T, limit float64, mode quota.Mode) (*Session, *Guard, *recorder) {
	t.Helper()
	ledger, err := quota.New(t.Context(), quota.Options{
		Store: memstore.New(nil), Limit: quota.FromFloat(limit * perSecond), Mode: mode, Heartbeat: time.Second,
		Wait: time.Second, Probe: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
		defer cancel()
		_ = ledger.Close(ctx)
	})
	r := &recorder{}
	g := New(Options{Ledger: ledger, Estimator: price.NewEstimator(nil, price.Tight), Recorder: r})
	model := g.o.Estimator.Resolve(nova)
	ch, err := g.Reserve(t.Context(), &Call{Model: &model, ModelText: nova, Label: nova, Client: "a", Session: true})
	if err != nil {
		t.Fatal(err)
	}
	return ch.Session(), g, r
}

func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

// wantNear checks an amount to a thousandth of a neuron.
func wantNear(t *testing.T, what string, got quota.Neurons, want float64) {
	t.Helper()
	if f := got.Float(); f < want-0.001 || f > want+0.001 {
		t.Errorf("%s: got %v neurons, want %v", what, f, want)
	}
}

func TestASessionReservesAheadAndBooksWhatHasPassed(t *testing.T) {
	s, g, r := newSession(t, 1000, quota.Enforce)
	wantNear(t, "reserved at first", g.ledger.Snapshot().Account.Reserved, 30*perSecond)
	for _, c := range []struct{ passed, used, reserved float64 }{
		{15, 0, 45}, {30, 30, 30}, {45, 45, 30}, {200, 75, 155}, {200, 75, 155},
	} {
		if !s.Covers(sound(c.passed)) && c.passed < 200 {
			t.Errorf("after %v seconds: got that they are not covered", c.passed)
		}
		if err := s.Renew(t.Context(), sound(c.passed), Ahead()); err != nil {
			t.Fatal(err)
		}
		account := g.ledger.Snapshot().Account
		wantNear(t, "used", account.Used, c.used*perSecond)
		wantNear(t, "reserved", account.Reserved, c.reserved*perSecond)
		if !s.Covers(sound(c.passed+29.9)) || s.Covers(sound(c.passed+30.1)) {
			t.Errorf("after %v seconds: want 30 more covered, and no more", c.passed)
		}
	}
	settled := s.Settle(sound(210.5))
	wantNear(t, "settled", settled.Neurons, 210.5*perSecond)
	wantEqual(t, "basis", settled.Basis, quota.Priced)
	if again := s.Settle(sound(300)); again != nil {
		t.Errorf("settled again: got %+v, want nil", again)
	}
	if err := s.Renew(t.Context(), sound(400), Ahead()); err != nil {
		t.Errorf("renewed behind its end: got %v, want nil", err)
	}
	account := g.ledger.Snapshot().Account
	wantNear(t, "used", account.Used, 210.5*perSecond)
	wantEqual(t, "reserved at the end", account.Reserved, 0)
	wantEqual(t, "calls", g.ledger.Snapshot().Records[0].Calls, 1)
	sum := quota.Neurons(0)
	for _, n := range r.spent {
		sum += n
	}
	wantNear(t, "the series", sum, 210.5*perSecond)
}

func wantEqual[V comparable](t *testing.T, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// What a session has reserved it has used: nobody waits for it.
func TestASessionThatTheQuotaEnds(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s, g, r := newSession(t, 50, quota.Enforce)
		began := time.Now()
		for range 2 {
			var f *normalize.Failure
			if err := s.Renew(t.Context(), sound(25), Ahead()); !errors.As(err, &f) {
				t.Fatalf("got %v, want a failure", err)
			}
			wantEqual(t, "failure", f.Code, normalize.AccountLimited)
			const want = "This call may need 348 neurons, more than the 279 that are left. The limit of 697 neurons " +
				"a day set for this proxy allows no more today: 418 used. "
			if !strings.HasPrefix(f.Message, want) || strings.Contains(f.Message, "max_tokens") {
				t.Errorf("message: got %q, want %q at first", f.Message, want)
			}
		}
		wantEqual(t, "waited", time.Since(began), 0)
		if err := s.Renew(t.Context(), sound(25), sound(8)); err != nil {
			t.Errorf("a little more: got %v, want nil", err)
		}
		if want := []string{"account_quota enforce"}; !slices.Equal(r.preempted, want) {
			t.Errorf("preempted: got %v, want %v", r.preempted, want)
		}
		wantNear(t, "settled beyond what was reserved", s.Settle(sound(60)).Neurons, 60*perSecond)
		wantNear(t, "used", g.ledger.Snapshot().Account.Used, 60*perSecond)
	})
}

func TestASessionThatIsObserved(t *testing.T) {
	s, g, r := newSession(t, 20, quota.Observe)
	for range 3 {
		if err := s.Renew(t.Context(), sound(25), Ahead()); err != nil {
			t.Fatal(err)
		}
	}
	s.Settle(sound(100))
	if want := []string{"account_quota observe"}; !slices.Equal(r.preempted, want) {
		t.Errorf("preempted: got %v, want %v", r.preempted, want)
	}
	wantEqual(t, "reserved", g.ledger.Snapshot().Account.Reserved, 0)
}

func TestASessionIsBookedOnBothDays(t *testing.T) {
	virtually(t, func(t *testing.T) {
		today := quota.DayOf(time.Now())
		time.Sleep(24*time.Hour - time.Minute)
		s, g, _ := newSession(t, 1000, quota.Enforce)
		for n := 15.0; n < 60; n += 15 {
			if err := s.Renew(t.Context(), sound(n), Ahead()); err != nil {
				t.Fatal(err)
			}
		}
		wantEqual(t, "until midnight", s.UntilReset(), time.Minute)
		time.Sleep(time.Minute - time.Millisecond)
		s.Split(sound(55))
		s.Split(sound(55))
		if !s.Covers(sound(75)) || s.Covers(sound(75.1)) {
			t.Error("behind the split: want covered what was before it")
		}
		time.Sleep(time.Second)
		for n := 60.0; n < 100; n += 15 {
			if err := s.Renew(t.Context(), sound(n), Ahead()); err != nil {
				t.Fatal(err)
			}
		}
		wantNear(t, "settled", s.Settle(sound(100)).Neurons, 100*perSecond)
		wantEqual(t, "reserved", g.ledger.Snapshot().Account.Reserved, 0)
		time.Sleep(5 * time.Second)
		records, err := g.ledger.History(t.Context(), today, today+1)
		if err != nil || len(records) != 2 {
			t.Fatalf("got %+v (%v), want two records", records, err)
		}
		wantNear(t, "the first day", records[0].Neurons(), 55*perSecond)
		wantEqual(t, "calls of the first day", records[0].Calls, 0)
		wantNear(t, "the second day", records[1].Neurons(), 45*perSecond)
		wantEqual(t, "calls of the second day", records[1].Calls, 1)
	})
}

// The charge of a session is not another call's once the call is closed: what the session still has to book is its own.
func TestChargeOfASessionIsKept(t *testing.T) {
	s, g, _ := newSession(t, 1000, quota.Enforce)
	s.charge.Close()
	if s.charge.guard != g || s.charge.call.Label != nova {
		t.Fatalf("the charge has the guard %p and the model %q, want those of its session", s.charge.guard,
			s.charge.call.Label)
	}
	wantNear(t, "settled", s.Settle(sound(25)).Neurons, 25*perSecond)
}

// Whether a blocked account may spend again is for a call to try, which Workers AI answers: no session that goes on.
func TestASessionIsNoProbe(t *testing.T) {
	virtually(t, func(t *testing.T) {
		s, g, _ := newSession(t, 1000, quota.Enforce)
		g.ledger.Block(time.Time{})
		time.Sleep(2 * time.Minute)
		var f *normalize.Failure
		if err := s.Renew(t.Context(), sound(25), Ahead()); !errors.As(err, &f) || f.Code != normalize.AccountLimited {
			t.Errorf("got %v, want that the account is blocked", err)
		}
		model := g.o.Estimator.Resolve(nova)
		c := Call{Model: &model, ModelText: nova, Label: nova, Client: "a", Session: true}
		ch, err := g.Reserve(t.Context(), &c)
		if err != nil {
			t.Fatalf("a call: got %v, want it to be the probe", err)
		}
		ch.Release()
		s.Settle(sound(25))
		wantEqual(t, "reserved", g.ledger.Snapshot().Account.Reserved, 0)
	})
}

func TestASessionLeavesWhatIsKeptForOthers(t *testing.T) {
	s, _, _ := newSession(t, 100, quota.Enforce)
	s.charge.request.Priority = quota.Low
	var f *normalize.Failure
	err := s.Renew(t.Context(), sound(60), Ahead())
	if !errors.As(err, &f) || f.Code != normalize.PriorityFloor {
		t.Errorf("got %v, want that the rest is kept for others", err)
	}
}
