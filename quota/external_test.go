package quota_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const (
	every = 5 * time.Minute // readings
	lag   = 5 * time.Minute
)

// bill is what an account was billed, and its own figure of that.
type bill struct {
	lag time.Duration // until the figure has counted a call
	err error         // of a reading

	mu    sync.Mutex
	items []item
	reads int
}

type item struct {
	at     time.Time
	amount quota.Neurons
	own    bool
}

func (b *bill) add(amount quota.Neurons, own bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, item{time.Now(), amount, own})
}

// sum is what was billed on a day until a time, to all or to others alone.
func (b *bill) sum(day quota.Day, until time.Time, all bool) (sum quota.Neurons) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.items {
		if quota.DayOf(i.at) == day && i.at.Unix() <= until.Unix() && (all || !i.own) {
			sum += i.amount
		}
	}
	return sum
}

// read is a quota.Figure.
func (b *bill) read(_ context.Context, day quota.Day, until time.Time) (quota.Neurons, error) {
	b.reads++
	if b.err != nil {
		return 0, b.err
	}
	if counted := time.Now().Add(-b.lag); until.After(counted) {
		until = counted
	}
	return b.sum(day, until, true), nil
}

// reconcile reads once and waits for the exchange that tells.
func (b *bill) reconcile(t *testing.T, l *quota.Ledger) bool {
	t.Helper()
	ours, err := l.Reconcile(t.Context(), every, b.read)
	if err != nil && !errors.Is(err, quota.ErrEarly) {
		t.Fatal(err)
	}
	time.Sleep(2 * quota.Heartbeat)
	return ours
}

// own makes a call that costs just what it reserves.
func (b *bill) own(t *testing.T, l *quota.Ledger, amount quota.Neurons) {
	t.Helper()
	spend(t, l, amount)
	b.add(amount, true)
}

// emptied is a store that can be emptied.
type emptied struct {
	mu sync.Mutex
	quota.Store
}

func (e *emptied) now() quota.Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Store
}

func (e *emptied) empty() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Store = quota.NewMemory(nil)
}

func (e *emptied) Exchange(ctx context.Context, r quota.Report) (quota.State, error) {
	return e.now().Exchange(ctx, r)
}

func (e *emptied) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return e.now().Lease(ctx, name, ttl)
}

func TestWhatIsSpentElsewhereCounts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := quota.NewMemory(nil)
		l, other := open(t, quota.Options{Store: store, Limit: 1000 * n}), open(t, quota.Options{Store: store, Limit: 1000 * n})
		if _, err := l.Reconcile(t.Context(), every, b.read); !errors.Is(err, quota.ErrEarly) || b.reads != 0 {
			t.Errorf("at midnight: %v, %d readings", err, b.reads)
		}
		time.Sleep(10 * time.Minute)
		b.own(t, l, 100*n)
		b.add(300*n, false)
		time.Sleep(2 * time.Minute)
		b.reconcile(t, l)
		if s := l.Snapshot(); s.Account.External != 0 || s.FigureAt.IsZero() {
			t.Errorf("the figure does not have it yet: %+v, %v", s.Account, s.FigureAt)
		}
		time.Sleep(every)
		if b.reconcile(t, other) {
			b.reconcile(t, l)
		}
		for i, l := range []*quota.Ledger{l, other} {
			s := l.Snapshot().Account
			if s.External != 300*n || s.Used != 100*n || s.Remaining != 600*n {
				t.Errorf("holder %d: %+v", i, s)
			}
		}
		d := refused(t, other, quota.Call{Estimate: 601 * n}, quota.Exhausted)
		if d.External != 300*n || d.Left() != 600*n {
			t.Errorf("%+v", d)
		}
		spend(t, other, 600*n)
		time.Sleep(time.Until(quota.DayOf(time.Now()).End()) + time.Second)
		if s := other.Snapshot(); s.Account.External != 0 || s.Account.Remaining != 1000*n || s.FigureAt.IsZero() {
			t.Errorf("the next day: %+v", s.Account)
		}
	})
}

// Who has just begun does not know what had been settled when the figure was
// made, and takes nothing back that is in the store.
func TestARestartKeepsWhatIsExternal(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := quota.NewMemory(nil)
		time.Sleep(time.Hour)
		l := open(t, quota.Options{Store: store, Limit: 1000 * n})
		b.add(300*n, false)
		time.Sleep(2 * every)
		b.reconcile(t, l)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(every)
		l = open(t, quota.Options{Store: store, Limit: 1000 * n})
		b.own(t, l, 500*n)
		if s := l.Snapshot().Account; s.External != 300*n {
			t.Errorf("at the start: %+v", s)
		}
		b.add(100*n, false)
		for i := range 4 {
			b.reconcile(t, l)
			if s := l.Snapshot().Account; i == 0 && s.External != 300*n || s.External < 300*n || s.External > 400*n {
				t.Errorf("reading %d: %+v", i, s)
			}
			time.Sleep(every)
		}
		if s := l.Snapshot().Account; s.External != 400*n || s.Remaining != 100*n {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// What an emptied store has forgotten for good counts as external from the next
// reading on, and no longer once it is told again.
func TestWhatTheStoreForgetsTheFigureHas(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := &emptied{Store: quota.NewMemory(nil)}
		time.Sleep(time.Hour)
		l := open(t, quota.Options{Store: store, Limit: 1000 * n})
		b.own(t, l, 100*n)
		gone := quota.Report{Day: quota.DayOf(time.Now()), Holder: "gone", Seq: 1, Claims: []quota.Claim{{Pot: quota.Account, Limit: 1000 * n, Spent: 200 * n}}}
		if _, err := store.Exchange(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		b.add(200*n, true)
		expect := func(when string, used, external quota.Neurons) {
			t.Helper()
			b.reconcile(t, l)
			if s := l.Snapshot().Account; s.Used != used || s.External != external {
				t.Errorf("%s: %+v", when, s)
			}
		}
		time.Sleep(2 * every)
		expect("before", 300*n, 0)
		store.empty()
		time.Sleep(time.Minute)
		expect("after", 100*n, 200*n)
		gone.Seq++
		if _, err := store.Exchange(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * every)
		expect("told again", 300*n, 0)
	})
}

// One of the holders reads, and another one once that is gone.
func TestOneHolderReads(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{}
		store := quota.NewMemory(nil)
		time.Sleep(time.Hour)
		all := []*quota.Ledger{open(t, quota.Options{Store: store}), open(t, quota.Options{Store: store}), open(t, quota.Options{Store: store})}
		for range 10 {
			for _, l := range all {
				b.reconcile(t, l)
			}
			time.Sleep(every)
		}
		if b.reads != 10 {
			t.Errorf("%d readings by three holders in ten spans", b.reads)
		}
		b.err = errors.New("no answer")
		reader := -1
		for i, l := range all {
			if ours, err := l.Reconcile(t.Context(), every, b.read); ours {
				reader = i
				if !errors.Is(err, b.err) {
					t.Error(err)
				}
			}
		}
		b.err, b.reads = nil, 0
		if b.reconcile(t, all[(reader+1)%3]) || !b.reconcile(t, all[reader]) || b.reads != 1 {
			t.Error("after a failure another one reads at once, or nobody")
		}
	})
}

// What holders that died held, and the figure shows not to be billed.
func TestReleased(t *testing.T) {
	for _, c := range []struct {
		name             string
		spent, elsewhere quota.Neurons // of the 40 that it held; by others
		lost, external   quota.Neurons
	}{
		{"nothing was spent of it", 0, 0, 0, 0},
		{"a part was", 15 * n, 0, 15 * n, 0},
		{"all was", 40 * n, 0, 40 * n, 0},
		{"others may have spent it as well", 0, 15 * n, 15 * n, 0},
		{"others spent more", 40 * n, 15 * n, 40 * n, 15 * n},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				b := &bill{lag: lag}
				store := quota.NewMemory(nil)
				time.Sleep(time.Hour)
				l := open(t, quota.Options{Store: store, Limit: 1000 * n})
				b.own(t, l, 10*n)
				// A process that dies tells nobody what it has spent of what it holds.
				now := quota.DayOf(time.Now())
				if _, err := store.Exchange(t.Context(), quota.Report{Day: now, Holder: "dead", Seq: 1, Claims: []quota.Claim{{Pot: quota.Account, Limit: 1000 * n, Min: 40 * n, Want: 40 * n}}}); err != nil {
					t.Fatal(err)
				}
				b.add(c.spent, true)
				b.add(c.elsewhere, false)
				for range 5 {
					time.Sleep(every)
					b.reconcile(t, l)
					if s := l.Snapshot().Account; s.Lost != 40*n {
						t.Fatalf("released after %v", time.Since(now.Start().Add(time.Hour)))
					}
				}
				time.Sleep(2 * every)
				b.reconcile(t, l)
				s := l.Snapshot().Account
				if s.Lost != c.lost || s.External != c.external || s.Remaining != 990*n-c.lost-c.external {
					t.Errorf("%+v", s)
				}
				spend(t, l, s.Remaining)
			})
		})
	}
}

// Random days: two holders and somebody else spend, holders are replaced, some
// die with what they have not told, the store is emptied. What counts is never
// more than what was billed, and in the end no less.
func TestExternalIsNeitherForgottenNorCountedTwice(t *testing.T) {
	for seed := range max(*seeds/4, 1) {
		virtually(t, func(t *testing.T) { randomDay(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomDay(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	b := &bill{lag: time.Duration(rng.IntN(301)) * time.Second}
	store := &emptied{Store: quota.NewMemory(nil)}
	o := quota.Options{Store: store, Limit: 100_000 * n}
	all := []*quota.Ledger{open(t, o), open(t, o)}
	next := time.Now()
	check := func() {
		t.Helper()
		for i, l := range all {
			s := l.Snapshot()
			billed := b.sum(s.Day, time.Now(), true)
			if s.Account.External < 0 || s.Account.Used+s.Account.External > billed {
				t.Errorf("%v, holder %d: %v used and %v external of %v billed", time.Now(), i, s.Account.Used, s.Account.External, billed)
			}
		}
	}
	for begin := time.Now(); time.Since(begin) < 6*time.Hour && !t.Failed(); {
		if rng.IntN(10) == 0 { // a burst
			for range rng.IntN(20) {
				b.own(t, all[rng.IntN(2)], quota.Neurons(rng.Int64N(int64(20*n))))
			}
		}
		b.own(t, all[rng.IntN(2)], quota.Neurons(rng.Int64N(int64(2*n))))
		if rng.IntN(3) == 0 {
			b.add(quota.Neurons(rng.Int64N(int64(4*n))), false)
		}
		time.Sleep(time.Duration(rng.IntN(120)) * time.Second)
		switch rng.IntN(40) {
		case 0: // a rolling restart
			i := rng.IntN(2)
			if err := all[i].Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			all[i] = open(t, o)
		case 1: // what the others have told comes back, what former holders told does not
			before := all[0].Snapshot().Account.External
			store.empty()
			time.Sleep(10 * time.Second)
			late := open(t, o)
			if e := late.Snapshot().Account.External; e != before {
				t.Errorf("external: %v; %v after the store was emptied", before, e)
			}
			if err := late.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(next) {
			next = time.Now().Add(every)
			for _, l := range all {
				b.reconcile(t, l)
			}
			check()
		}
	}
	time.Sleep(15 * time.Minute)
	for range 3 {
		for _, l := range all {
			b.reconcile(t, l)
		}
		time.Sleep(every)
	}
	check()
	s := all[0].Snapshot()
	if billed := b.sum(s.Day, time.Now(), true); s.Account.Used+s.Account.External != billed {
		t.Errorf("in the end %v used and %v external of %v billed, %v by others", s.Account.Used, s.Account.External, billed, b.sum(s.Day, time.Now(), false))
	}
}
