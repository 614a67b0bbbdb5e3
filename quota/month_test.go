package quota_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestMonthsBeginAndEnd(t *testing.T) {
	for _, c := range []struct{ day, first, end string }{
		{"2026-11-23", "2026-11-01", "2026-12-01"},
		{"2026-12-31", "2026-12-01", "2027-01-01"},
		{"2028-02-29", "2028-02-01", "2028-03-01"},
		{"2026-03-01", "2026-03-01", "2026-04-01"},
	} {
		var d quota.Day
		if err := d.UnmarshalText([]byte(c.day)); err != nil {
			t.Fatal(err)
		}
		equal(t, "first day of the month of "+c.day, d.FirstOfMonth().String(), c.first)
		sameTime(t, "end of the month of "+c.day, d.MonthEnd(), quota.DayOf(d.MonthEnd()).Start())
		equal(t, "end of the month of "+c.day, quota.DayOf(d.MonthEnd()).String(), c.end)
	}
}

// monthBeat is the heartbeat of a ledger alone for a month.
const monthBeat = 2 * time.Minute

// A monthPlan is how the ledgers of a month run.
type monthPlan struct {
	replicas int
	beat     time.Duration
	evenings bool // they run for some minutes before midnight, and sometimes beyond it
}

// A month is spent by three clients and by others outside: a daily limit, limits of the month, restarts, one of them
// while a call is in flight whose cost is lost. It is never passed, and nearly all of it can be used.
func TestMonthIsUsedAndNeverPassed(t *testing.T) {
	plans := map[string]monthPlan{
		"one replica without a pause": {1, monthBeat, false},
		"two replicas each evening":   {2, sharedBeat, true},
	}
	if *seeds >= 100 {
		plans["two replicas without a pause"] = monthPlan{2, sharedBeat, false}
	}
	for name, plan := range plans {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) { newMonthOf(t, plan).run() })
		})
	}
}

// Limits of the month that is tested.
const (
	monthLimit      = 100_000 * n
	monthDayLimit   = 10_000 * n
	monthOfX        = 20_000 * n
	monthOfY        = 30_000 * n
	monthDays       = 31 // January 2000, where virtual time begins
	monthLimitedDay = 5  // the last days on which calls are made until they are refused
)

type monthOf struct {
	t       *testing.T
	plan    monthPlan
	rng     *rand.Rand
	store   *memstore.Store
	ledgers []*quota.Ledger
	spent   map[string]quota.Neurons    // in the month, by client
	days    map[quota.Day]quota.Neurons // billed for our calls
	outside map[quota.Day]quota.Neurons
	refused map[string]int // by client, for the month's limit
}

func newMonthOf(t *testing.T, plan monthPlan) *monthOf {
	return &monthOf{
		t: t, plan: plan, rng: rand.New(rand.NewPCG(16, 62)), store: memstore.New(nil),
		spent: map[string]quota.Neurons{}, days: map[quota.Day]quota.Neurons{},
		outside: map[quota.Day]quota.Neurons{}, refused: map[string]int{},
	}
}

func (m *monthOf) start() {
	for i := range m.plan.replicas {
		l, err := quota.New(m.t.Context(), quota.Options{
			Store: m.store, Limit: monthDayLimit, MonthLimit: monthLimit, Wait: 5 * time.Second,
			Heartbeat: m.plan.beat, Replica: quota.Replica(fmt.Sprint(i, time.Now().Unix())),
		})
		if err != nil {
			m.t.Fatal(err)
		}
		m.ledgers = append(m.ledgers, l)
	}
}

// stop ends the processes; what is saved is all that is left.
func (m *monthOf) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what is still reserved is lost
	for _, l := range m.ledgers {
		if err := l.Close(ctx); err != nil {
			m.t.Error(err)
		}
	}
	m.ledgers = nil
	var saved *memstore.Saved
	if err := m.store.Save(func(s *memstore.Saved) error { saved = s; return nil }); err != nil {
		m.t.Error(err)
	}
	m.store = memstore.NewDurable(saved, nil, func(memstore.Change, func() *memstore.Saved) error { return nil })
}

func (m *monthOf) run() {
	first := quota.DayOf(time.Now())
	if !m.plan.evenings {
		m.start()
	}
	for day := first; day < first+monthDays; day++ {
		final := day >= first+monthDays-monthLimitedDay
		begin := time.Duration(m.rng.IntN(20)) * time.Hour
		if m.plan.evenings {
			begin = 23*time.Hour + 57*time.Minute // until after midnight
			if final {
				begin = 22 * time.Hour
			}
		}
		time.Sleep(time.Until(day.Start().Add(begin)))
		if m.plan.evenings {
			m.start()
		}
		if day < first+20 {
			m.spendOutside(day)
		}
		m.spend("x", monthOfX, m.between(500, 1500))
		m.spend("y", monthOfY, m.between(500, 2500))
		if final {
			m.spend("z", 0, monthLimit)
		} else {
			m.spend("z", 0, m.between(0, 2000))
		}
		if day == first+15 {
			m.lose()
		}
		if m.plan.evenings || day == first+15 {
			m.stop()
		}
		if day == first+15 && !m.plan.evenings {
			m.start()
		}
	}
	m.check()
	time.Sleep(time.Until((first + monthDays).Start().Add(time.Hour)))
	if m.plan.evenings {
		m.start()
	}
	for client, limit := range map[string]quota.Neurons{"x": monthOfX, "y": monthOfY, "z": 0} {
		before := m.days[first+monthDays]
		m.spend(client, limit, 100*n)
		if m.days[first+monthDays] == before {
			m.t.Errorf("client %s in the next month: got no call allowed, want some", client)
		}
	}
	m.stop()
}

func (m *monthOf) between(low, high int) quota.Neurons {
	return quota.Neurons(low+m.rng.IntN(high-low)) * n
}

// spend makes calls until they have cost amount, or none is allowed any more.
func (m *monthOf) spend(client string, limit, amount quota.Neurons) {
	for contended := 0; amount > 0 && contended < 10; {
		time.Sleep(time.Duration(m.rng.IntN(2000)) * time.Millisecond)
		l := m.ledgers[m.rng.IntN(len(m.ledgers))]
		c := quota.Call{
			Model: "m", Client: client, ClientMonth: limit, CountClient: true, Estimate: m.between(10, 60),
		}
		res, d, err := l.Reserve(m.t.Context(), c)
		switch {
		case err != nil:
			m.t.Fatal(err)
		case d.Outcome == quota.Contended:
			contended++
			continue
		case res == nil:
			m.wantRefusal(d)
			if d.OfMonth {
				m.refused[client]++
			}
			return
		}
		cost := c.Estimate/2 + quota.Neurons(m.rng.Int64N(int64(c.Estimate/2)))
		m.book(client, res.Settle(quota.Cost{Neurons: cost}), cost)
		amount -= cost
		contended = 0
	}
}

func (m *monthOf) book(client string, day quota.Day, cost quota.Neurons) {
	m.days[day] += cost
	if day.FirstOfMonth() == quota.DayOf(time.Unix(946684800, 0)) {
		m.spent[client] += cost
	}
}

func (m *monthOf) wantRefusal(d quota.Decision) {
	m.t.Helper()
	equal(m.t, "outcome", d.Outcome, quota.Exhausted)
	today := quota.DayOf(d.At)
	if d.OfMonth {
		sameTime(m.t, "reset", d.ResetsAt, today.MonthEnd())
		equal(m.t, "limit of today and what earlier days spent", max(d.Limit, n), max(d.MonthLimit-d.Earlier, n))
		return
	}
	sameTime(m.t, "reset", d.ResetsAt, today.End())
}

// spendOutside has others spend of the account, and reads the account's own figure.
func (m *monthOf) spendOutside(day quota.Day) {
	m.outside[day] += 300 * n
	const every = time.Minute
	read := func(_ context.Context, day quota.Day, _ time.Time) (quota.Neurons, error) {
		return m.days[day] + m.outside[day], nil
	}
	if m.plan.evenings {
		time.Sleep(5 * time.Second) // nothing was spent yet by ours since long, but after midnight
	} else {
		time.Sleep(15 * time.Minute)
	}
	for _, l := range m.ledgers {
		ours, err := l.Reconcile(m.t.Context(), every, read)
		if errors.Is(err, quota.ErrUnconfirmed) {
			ours, err = l.Reconcile(m.t.Context(), every, read)
		}
		if err != nil {
			m.t.Fatal(err)
		} else if ours {
			time.Sleep(5 * time.Second)
			return
		}
	}
	m.t.Fatal("got no replica that reads the figure, want one")
}

// lose makes a call that is billed and whose process ends before it settles.
func (m *monthOf) lose() {
	const estimate = 50 * n
	l := m.ledgers[0]
	call := quota.Call{Model: "m", Client: "z", CountClient: true, Estimate: estimate}
	res, d, err := l.Reserve(m.t.Context(), call)
	if err != nil || res == nil {
		m.t.Fatalf("got %+v, %v, want a reservation", d, err)
	}
	m.book("z", quota.DayOf(d.At), estimate)
}

func (m *monthOf) check() {
	var all, outside quota.Neurons
	for _, spent := range m.spent {
		all += spent
	}
	for _, spent := range m.outside {
		outside += spent
	}
	m.t.Logf("account: %v of %v, %v of it outside; x %v of %v, y %v of %v; refusals for the month %v",
		all+outside, monthLimit, outside, m.spent["x"], monthOfX, m.spent["y"], monthOfY, m.refused)
	within(m.t, "account", all+outside, monthLimit/100*97, monthLimit)
	within(m.t, "x", m.spent["x"], monthOfX/100*97, monthOfX)
	within(m.t, "y", m.spent["y"], monthOfY/100*97, monthOfY)
	for _, client := range []string{"x", "y", "z"} {
		if m.refused[client] == 0 {
			m.t.Errorf("client %s: got no refusal for the month, want some", client)
		}
	}
}

// Replicas that differ in the limit of the month, as after a change of the settings of one, keep to the lower one.
func TestTheLowerLimitOfTheMonthCounts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		var ledgers []*quota.Ledger
		for _, limit := range []quota.Neurons{1000 * n, 2000 * n} {
			ledgers = append(ledgers, open(t, quota.Options{
				Store: store, Limit: 5000 * n, MonthLimit: limit, Wait: 2 * time.Second,
			}))
		}
		var spent quota.Neurons
		refused := make([]int, len(ledgers))
		for i := 0; min(refused[0], refused[1]) < 3 && i < 1000; i++ {
			time.Sleep(100 * time.Millisecond)
			res, d, err := ledgers[i%2].Reserve(t.Context(), quota.Call{Model: "m", Estimate: 7 * n})
			switch {
			case err != nil:
				t.Fatal(err)
			case res == nil:
				refused[i%2]++
				equal(t, "the month refused", d.OfMonth, true)
				continue
			}
			res.Settle(quota.Cost{Neurons: 7 * n})
			spent += 7 * n
		}
		within(t, "spent", spent, 970*n, 1000*n)
	})
}

// What a replica holds at midnight may be spent until it has reported the end of its day: another one that begins the
// day before has no more of the month than that leaves.
func TestWhatOthersHoldAtMidnightCounts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := memstore.New(nil)
		yesterday := quota.DayOf(time.Now())
		report := quota.Report{
			Day: yesterday, Replica: "other", Seq: 1,
			Requests: []quota.BudgetRequest{{Budget: quota.Account, Limit: 1000 * n, Spent: 300 * n, Held: 200 * n}},
		}
		if _, err := store.Sync(t.Context(), report); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		l := open(t, quota.Options{Store: store, MonthLimit: 1000 * n, Heartbeat: longBeat})
		equal(t, "left of the month at midnight", l.Snapshot().Account.Remaining, 500*n)
		report.Seq, report.Leave, report.Requests[0].Spent, report.Requests[0].Held = 2, true, 310*n, 0
		if _, err := store.Sync(t.Context(), report); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute)
		equal(t, "left when the other one has reported", l.Snapshot().Account.Remaining, 690*n)
	})
}

// forgetful is a store that cannot say what earlier days spent.
type forgetful struct {
	quota.Store
	fails atomic.Bool
}

func (f *forgetful) Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error) {
	if f.fails.Load() {
		return nil, context.DeadlineExceeded
	}
	return f.Store.Committed(ctx, from, to)
}

// While it is not known what earlier days of the month spent, nothing is spent of it; a limit of the day alone does not
// ask for that.
func TestAMonthThatCannotBeRead(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(30 * time.Hour)
		store := &forgetful{Store: memstore.New(nil)}
		store.fails.Store(true)
		l := open(t, quota.Options{Store: store, Limit: 1000 * n, Wait: time.Second})
		take(t, l, quota.Call{Client: "a", ClientLimit: 100 * n, Estimate: n}).Settle(quota.Cost{Neurons: n})
		limited := quota.Call{Client: "b", ClientMonth: 100 * n, Estimate: n}
		_, _, err := l.Reserve(t.Context(), limited)
		fails(t, "a call with a limit of the month", err, quota.ErrStore)
		fails(t, "health", l.Healthy(), quota.ErrStore)
		store.fails.Store(false)
		take(t, l, limited).Settle(quota.Cost{Neurons: n})
		store.fails.Store(true)
		time.Sleep(time.Hour)
		take(t, l, limited).Settle(quota.Cost{Neurons: n}) // it is known of today
		fails(t, "health on the same day", l.Healthy(), nil)
	})
}

// broken is a store that fails altogether.
type broken struct {
	quota.Store
	fails atomic.Bool
}

func (b *broken) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if b.fails.Load() {
		return quota.Reply{}, context.DeadlineExceeded
	}
	return b.Store.Sync(ctx, r)
}

func (b *broken) Committed(ctx context.Context, from, to quota.Day) (quota.ByDay, error) {
	if b.fails.Load() {
		return nil, context.DeadlineExceeded
	}
	return b.Store.Committed(ctx, from, to)
}

// While the store fails a new day counts the one before as this replica knows it, and a new month begins anew.
func TestMonthWhileTheStoreFails(t *testing.T) {
	virtually(t, func(t *testing.T) {
		store := &broken{Store: memstore.New(nil)}
		l := open(t, quota.Options{Store: store, MonthLimit: 1000 * n, AllowOfflineGrant: true, Heartbeat: monthBeat})
		take(t, l, quota.Call{Estimate: 100 * n}).Settle(quota.Cost{Neurons: 100 * n})
		time.Sleep(2 * monthBeat)
		store.fails.Store(true)
		time.Sleep(24 * time.Hour)
		s := l.Snapshot()
		equal(t, "left on the second day", s.Account.Remaining, 900*n)
		time.Sleep(time.Until(s.Day.MonthEnd().Add(time.Minute)))
		equal(t, "left in the next month", l.Snapshot().Account.Remaining, 1000*n)
		store.fails.Store(false)
		time.Sleep(2 * monthBeat)
		fails(t, "health", l.Healthy(), nil)
	})
}
