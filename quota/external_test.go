package quota_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
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

// read is what quota.Ledger.Reconcile reads.
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
	time.Sleep(2 * sharedBeat)
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

func (e *emptied) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	return e.now().Sync(ctx, r)
}

func (e *emptied) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return e.now().Lease(ctx, name, ttl)
}

func TestWhatIsSpentElsewhereCounts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		o := quota.Options{Store: quota.NewMemory(nil), Limit: 1000 * n, Heartbeat: sharedBeat}
		l, other := open(t, o), open(t, o)
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
		gone := quota.Report{Day: quota.DayOf(time.Now()), Replica: "gone", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 1000 * n, Spent: 200 * n}}}
		if _, err := store.Sync(t.Context(), gone); err != nil {
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
		if _, err := store.Sync(t.Context(), gone); err != nil {
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
		time.Sleep(time.Hour)
		o := quota.Options{Store: quota.NewMemory(nil), Heartbeat: sharedBeat}
		all := []*quota.Ledger{open(t, o), open(t, o), open(t, o)}
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
				if _, err := store.Sync(t.Context(), quota.Report{Day: now, Replica: "dead", Seq: 1, Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 1000 * n, Min: 40 * n, Want: 40 * n}}}); err != nil {
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

// unanswered is a store that can be away.
type unanswered struct {
	quota.Store
	away atomic.Bool
}

func (u *unanswered) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if u.away.Load() {
		return quota.Reply{}, errors.New("away")
	}
	return u.Store.Sync(ctx, r)
}

// A holder that was not answered for ten minutes may be the one whose neurons
// are lost to the others, and released later: it gives up what it has free.
func TestAHolderThatNobodyHearsGivesUp(t *testing.T) {
	for _, c := range []struct {
		name     string
		unbacked bool
		held     quota.Neurons // beside the call in flight
	}{{"refusing", false, 0}, {"from memory", true, 9 * n}} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				store := &unanswered{Store: quota.NewMemory(nil)}
				l := open(t, quota.Options{Store: store, Limit: 1000 * n, AllowOfflineGrant: c.unbacked})
				time.Sleep(time.Hour)
				spend(t, l, n)
				time.Sleep(time.Second)
				flying := take(t, l, quota.Call{Estimate: n})
				store.away.Store(true)
				held := func() quota.Neurons { return l.Snapshot().Account.Held - n }
				time.Sleep(9 * time.Minute)
				if got := held(); got < 8*n {
					t.Errorf("%v free after nine minutes", got)
				}
				time.Sleep(2 * time.Minute)
				if got := held(); got > c.held || got < c.held-n {
					t.Errorf("%v free after eleven minutes", got)
				}
				store.away.Store(false)
				time.Sleep(time.Second)
				flying.Settle(settle(n))
				spend(t, l, 990*n)
				if s := l.Snapshot().Account; s.Used != 992*n {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
