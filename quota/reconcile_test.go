package quota_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
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

// reconcile reads once, a second time where the figure waits for that, and waits for the sync that publishes it.
func (b *bill) reconcile(t *testing.T, l *quota.Ledger) bool {
	t.Helper()
	ours, err := l.Reconcile(t.Context(), every, b.read)
	if errors.Is(err, quota.ErrUnconfirmed) {
		time.Sleep(time.Minute)
		ours, err = l.Reconcile(t.Context(), every, b.read)
	}
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
	e.Store = memstore.New(nil)
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
		o := quota.Options{Store: memstore.New(nil), Limit: 1000 * n, Heartbeat: sharedBeat}
		l, other := open(t, o), open(t, o)
		_, err := l.Reconcile(t.Context(), every, b.read)
		fails(t, "Reconcile at midnight", err, quota.ErrEarly)
		equal(t, "readings at midnight", b.reads, 0)
		time.Sleep(10 * time.Minute)
		b.own(t, l, 100*n)
		b.add(300*n, false)
		time.Sleep(2 * time.Minute)
		b.reconcile(t, l)
		s := l.Snapshot()
		equal(t, "external before the figure has it", s.Account.External, 0)
		equal(t, "the figure was not read", s.FigureAt.IsZero(), false)
		time.Sleep(every)
		if b.reconcile(t, other) {
			b.reconcile(t, l)
		}
		for i, l := range []*quota.Ledger{l, other} {
			s := l.Snapshot().Account
			figures(t, fmt.Sprint("replica ", i), s, quota.Status{Used: 100 * n, External: 300 * n})
			equal(t, "remaining", s.Remaining, 600*n)
		}
		d := refused(t, other, quota.Call{Estimate: 601 * n}, quota.Exhausted)
		equal(t, "external by the decision", d.External, 300*n)
		equal(t, "left by the decision", d.Left(), 600*n)
		spend(t, other, 600*n)
		time.Sleep(time.Until(quota.DayOf(time.Now()).End()) + time.Second)
		s = other.Snapshot()
		equal(t, "external the next day", s.Account.External, 0)
		equal(t, "remaining the next day", s.Account.Remaining, 1000*n)
		equal(t, "the figure was never read", s.FigureAt.IsZero(), false)
	})
}

// A ledger that has just begun does not know what had been settled when the figure was made, and takes nothing back
// that is in the store.
func TestARestartKeepsWhatIsExternal(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := memstore.New(nil)
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
		equal(t, "external at the start", l.Snapshot().Account.External, 300*n)
		b.add(100*n, false)
		for i := range 4 {
			b.reconcile(t, l)
			most := 400 * n
			if i == 0 {
				most = 300 * n
			}
			within(t, fmt.Sprint("external by reading ", i), l.Snapshot().Account.External, 300*n, most)
			time.Sleep(every)
		}
		s := l.Snapshot().Account
		equal(t, "external in the end", s.External, 400*n)
		equal(t, "remaining in the end", s.Remaining, 100*n)
	})
}

// What an emptied store has forgotten for good counts as external from the next reading on, and no longer once it is
// reported again.
func TestWhatTheStoreForgetsTheFigureHas(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		store := &emptied{Store: memstore.New(nil)}
		time.Sleep(time.Hour)
		l := open(t, quota.Options{Store: store, Limit: 1000 * n})
		b.own(t, l, 100*n)
		gone := quota.Report{Day: quota.DayOf(time.Now()), Replica: "gone", Seq: 1, Requests: []quota.BudgetRequest{
			{Budget: quota.Account, Limit: 1000 * n, Spent: 200 * n},
		}}
		if _, err := store.Sync(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		b.add(200*n, true)
		expect := func(when string, used, external quota.Neurons) {
			t.Helper()
			b.reconcile(t, l)
			figures(t, when, l.Snapshot().Account, quota.Status{Used: used, External: external})
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
		expect("reported again", 300*n, 0)
	})
}

// One of the replicas reads, and another one once that is gone.
func TestOneReplicaReads(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{}
		time.Sleep(time.Hour)
		o := quota.Options{Store: memstore.New(nil), Heartbeat: sharedBeat}
		all := []*quota.Ledger{open(t, o), open(t, o), open(t, o)}
		for range 10 {
			for _, l := range all {
				b.reconcile(t, l)
			}
			time.Sleep(every)
		}
		equal(t, "readings by three replicas in ten spans", b.reads, 10)
		b.err = errors.New("no answer")
		reader := -1
		for i, l := range all {
			if ours, err := l.Reconcile(t.Context(), every, b.read); ours {
				reader = i
				fails(t, "Reconcile", err, b.err)
			}
		}
		b.err, b.reads = nil, 0
		equal(t, "after a failure another one reads", b.reconcile(t, all[(reader+1)%3]), false)
		equal(t, "after a failure the same one reads", b.reconcile(t, all[reader]), true)
		equal(t, "readings after the failure", b.reads, 1)
	})
}

// dies lets a replica take 40 neurons of the account and report no more.
func dies(t *testing.T, s quota.Store, limit quota.Neurons) {
	t.Helper()
	asks := quota.BudgetRequest{Budget: quota.Account, Limit: limit, Min: 40 * n, Want: 40 * n}
	_, err := s.Sync(t.Context(), quota.Report{
		Day: quota.DayOf(time.Now()), Replica: "dead", Seq: 1, Requests: []quota.BudgetRequest{asks},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What replicas that died held, and the figure shows not to be billed.
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
				store := memstore.New(nil)
				time.Sleep(time.Hour)
				l := open(t, quota.Options{Store: store, Limit: 1000 * n})
				b.own(t, l, 10*n)
				// A process that dies tells nobody what it has spent of what it holds.
				dies(t, store, 1000*n)
				b.add(c.spent, true)
				b.add(c.elsewhere, false)
				for range 5 {
					time.Sleep(every)
					b.reconcile(t, l)
					equal(t, "lost before it may be released", l.Snapshot().Account.Lost, 40*n)
				}
				time.Sleep(2 * every)
				b.reconcile(t, l)
				s := l.Snapshot().Account
				figures(t, "afterwards", s, quota.Status{Used: 10 * n, Lost: c.lost, External: c.external})
				equal(t, "remaining", s.Remaining, 990*n-c.lost-c.external)
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

// A replica that got no answer for ten minutes may be the one whose neurons are lost to the others, and released
// later: it gives up what it has free.
func TestASilentReplicaGivesUpWhatIsFree(t *testing.T) {
	for _, c := range []struct {
		name    string
		offline bool
		held    quota.Neurons // beside the call in flight
	}{{"refusing", false, 0}, {"from memory", true, 9 * n}} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				store := &unanswered{Store: memstore.New(nil)}
				l := open(t, quota.Options{Store: store, Limit: 1000 * n, AllowOfflineGrant: c.offline})
				time.Sleep(time.Hour)
				spend(t, l, n)
				time.Sleep(time.Second)
				inFlight := take(t, l, quota.Call{Estimate: n})
				store.away.Store(true)
				held := func() quota.Neurons { return l.Snapshot().Account.Held - n }
				time.Sleep(9 * time.Minute)
				within(t, "free after nine minutes", held(), 8*n, 1000*n)
				time.Sleep(2 * time.Minute)
				within(t, "free after eleven minutes", held(), c.held-n, c.held)
				store.away.Store(false)
				time.Sleep(time.Second)
				inFlight.Settle(settle(n))
				spend(t, l, 990*n)
				equal(t, "used", l.Snapshot().Account.Used, 992*n)
			})
		})
	}
}

// A call that takes longer than a minute, and that the figure has from its beginning, is external until it is settled
// and read once more: too much, never too little.
func TestALongCallIsExternalUntilItIsSettled(t *testing.T) {
	virtually(t, func(t *testing.T) {
		b := &bill{lag: lag}
		time.Sleep(time.Hour)
		l := open(t, quota.Options{Limit: 1000 * n})
		b.own(t, l, 50*n)
		time.Sleep(2 * every)
		b.reconcile(t, l)
		long := take(t, l, quota.Call{Estimate: 40 * n})
		b.add(40*n, true)
		time.Sleep(2 * every)
		b.reconcile(t, l)
		figures(t, "while it goes on", l.Snapshot().Account,
			quota.Status{Used: 50 * n, Reserved: 40 * n, External: 40 * n})
		long.Settle(settle(40 * n))
		figures(t, "once it is settled", l.Snapshot().Account, quota.Status{Used: 90 * n, External: 40 * n})
		time.Sleep(lag + every)
		b.reconcile(t, l)
		figures(t, "by the next figure", l.Snapshot().Account, quota.Status{Used: 90 * n})
	})
}
