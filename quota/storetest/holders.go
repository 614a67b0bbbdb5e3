package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

func reopen(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	r := a.report(of(0, 0, 1, 100*n), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: 9 * n, Min: 1, Want: 9 * n})
	until := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	r.Block.Set = quota.Block{Set: true, At: until.Add(-time.Hour), Until: until}
	exchange(t, s, r)
	r = a.report(of(30*n, 70*n, 0, 0), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: 9 * n, Spent: 9 * n})
	r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 3, Reported: 30 * n}}
	r.Leave = true
	exchange(t, s, r)
	s = open(t)
	b := holder{name: "b"}
	st := exchange(t, s, b.report(of(0, 0, 1, limit), quota.BudgetRequest{Budget: quota.ClientBudget("x"), Limit: 9 * n, Min: 1, Want: 9 * n}))
	expect(t, st, limit-100*n, quota.Balance{Spent: 30 * n, Lost: 70 * n, Held: limit - 100*n})
	if st.Granted[1] != 0 || st.Balances[1].Spent != 9*n {
		t.Errorf("the client's pot: %+v", st)
	}
	if !st.Block.Set || !st.Block.Until.Equal(until) {
		t.Errorf("the latch: %+v", st.Block)
	}
	h, err := s.History(t.Context(), day, day)
	if want := (quota.Record{Day: day, Model: "m", Client: "x", Calls: 3, Reported: 30 * n}); err != nil || len(h) != 1 || h[0] != want {
		t.Errorf("%+v, %v", h, err)
	}
}

func second(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(0, 0, 1, limit)))
	asks := of(0, 0, 50*n, 50*n)
	asks.Waiting = 50 * n
	st := exchange(t, s, b.report(asks))
	expect(t, st, 0, quota.Balance{Held: limit})
	if st.Replicas != 2 {
		t.Errorf("%d holders, want 2", st.Replicas)
	}
	expect(t, exchange(t, s, a.report(of(0, limit-40*n, 0, 0))), 0, quota.Balance{Held: limit - 40*n, Free: 40 * n, Waiting: 50 * n})
	expect(t, exchange(t, s, b.report(asks)), 0, quota.Balance{Held: limit - 40*n, Free: 40 * n})
	exchange(t, s, a.report(of(0, limit-50*n, 0, 0)))
	expect(t, exchange(t, s, b.report(asks)), 50*n, quota.Balance{Held: limit})
}

func dies(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	exchange(t, s, a.report(of(0, 0, 1, 100*n)))
	exchange(t, s, a.report(of(40*n, 60*n, 0, 0)))
	s = open(t)
	b := holder{name: "b"}
	st := exchange(t, s, b.report(of(0, 0, 1, limit)))
	if st.Granted[0] != limit-100*n {
		t.Errorf("granted %v, want all but 100", st.Granted[0])
	}
	bal := st.Balances[0]
	if bal.Spent != 40*n || bal.Held+bal.Lost != limit-40*n || bal.Free != 0 {
		t.Errorf("%+v", bal)
	}
}

func leaves(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(0, 0, 1, 100*n)))
	r := a.report(of(90*n, 4*n, 0, 0))
	r.Leave = true
	exchange(t, s, r)
	st := exchange(t, s, b.report(of(0, 0, 1, n)))
	expect(t, st, n, quota.Balance{Spent: 90 * n, Lost: 4 * n, Held: n, Free: limit - 95*n})
	if st.Replicas != 1 {
		t.Errorf("%d holders, want 1", st.Replicas)
	}
}

func records(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	r := a.report(of(0, 0, 0, 0))
	r.Records = []quota.Record{
		{Model: "m", Client: "x", Calls: 1, Reported: 1, Silent: 1, Table: 4, Calibration: quota.Calibration{Peak: 1500, Usual: 400, Paid: 1500}},
		{Model: "m", Client: "w", Calls: 1, Reported: 1},
	}
	exchange(t, s, r)
	r = a.report(of(0, 0, 0, 0))
	r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 2, Reported: 5, Priced: 6, Estimated: 7, Silent: 2, Table: 5, Calibration: quota.Calibration{Peak: 3000, Usual: 500, Paid: 3000}}}
	exchange(t, s, r)
	r = b.report(of(0, 0, 0, 0))
	r.Records = []quota.Record{{Model: "m", Client: "x", Calls: 10, Reported: 10, Silent: 3, Table: 70, Calibration: quota.Calibration{Peak: 2000, Usual: 900, Paid: 1000}}, {Model: "a", Client: "x", Calls: 1, Priced: 3}}
	exchange(t, s, r)
	r = b.report(of(0, 0, 0, 0))
	r.Day++
	r.Records = []quota.Record{{Model: "b", Calls: 1}}
	exchange(t, s, r)
	want := []quota.Record{
		{Day: day, Model: "a", Client: "x", Calls: 1, Priced: 3},
		{Day: day, Model: "m", Client: "w", Calls: 1, Reported: 1},
		{Day: day, Model: "m", Client: "x", Calls: 12, Reported: 15, Priced: 6, Estimated: 7, Silent: 5, Table: 75, Calibration: quota.Calibration{Peak: 3000, Usual: 900, Paid: 3000}},
		{Day: day + 1, Model: "b", Calls: 1},
	}
	for _, c := range []struct {
		from, to quota.Day
		want     []quota.Record
	}{{day, day + 1, want}, {day, day, want[:3]}, {day + 1, day + 9, want[3:]}, {day - 3, day - 1, nil}, {day + 1, day, nil}} {
		got, err := s.History(t.Context(), c.from, c.to)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v to %v: %+v, %v", c.from, c.to, got, err)
		}
	}
}

func latch(t *testing.T, open Place) {
	s := open(t)
	a, b := holder{name: "a"}, holder{name: "b"}
	at := time.Date(2026, 11, 23, 17, 0, 0, 1e6, time.UTC)
	set := quota.Block{Set: true, At: at, Until: at.Add(7 * time.Hour)}
	r := a.report(of(0, 0, 0, 0))
	r.Block.Set = set
	if got := exchange(t, s, r).Block; got != set {
		t.Errorf("%+v", got)
	}
	if got := exchange(t, s, b.report(of(0, 0, 0, 0))).Block; got != set {
		t.Errorf("%+v", got)
	}
	r = b.report(of(0, 0, 0, 0))
	r.Day++ // it does not belong to a day
	r.Block.Lift = true
	if got := exchange(t, s, r).Block; got.Set {
		t.Errorf("%+v", got)
	}
	if got := exchange(t, s, a.report(of(0, 0, 0, 0))).Block; got.Set {
		t.Errorf("%+v", got)
	}
}

func lease(t *testing.T, open Place) {
	s := open(t)
	var wg sync.WaitGroup
	won := make(chan bool, 50)
	for range cap(won) {
		wg.Go(func() {
			ok, err := s.Lease(t.Context(), "probe", time.Hour)
			if err != nil {
				t.Error(err)
			}
			won <- ok
		})
	}
	wg.Wait()
	close(won)
	owners := 0
	for ok := range won {
		if ok {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("%d owners, want 1", owners)
	}
	if ok, err := s.Lease(t.Context(), "another", time.Millisecond); !ok || err != nil {
		t.Errorf("another lease: %v, %v", ok, err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		ok, err := s.Lease(t.Context(), "another", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a lease does not end")
		}
	}
	s = open(t)
	if ok, err := s.Lease(t.Context(), "probe", time.Hour); ok || err != nil {
		t.Errorf("after opening again: %v, %v", ok, err)
	}
}

func events(t *testing.T, open Place) {
	s := open(t)
	watch, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hear := func(want quota.Event) {
		t.Helper()
		select {
		case e := <-watch:
			if e != want {
				t.Errorf("event %+v, want %+v", e, want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("no event %+v", want)
		}
	}
	next := func(want quota.EventKind, who quota.Replica) {
		t.Helper()
		hear(quota.Event{Kind: want, Replica: who})
	}
	a, b := holder{name: "a"}, holder{name: "b"}
	exchange(t, s, a.report(of(0, 0, 1, limit)))
	asks := of(0, 0, 50*n, 50*n)
	asks.Waiting = 50 * n
	exchange(t, s, b.report(asks))
	next(quota.NeuronsWanted, "b")
	exchange(t, s, a.report(of(0, limit-50*n, 0, 0)))
	next(quota.NeuronsReturned, "a")
	r := b.report(asks)
	r.Block.Set = quota.Block{Set: true, At: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).UTC()}
	exchange(t, s, r)
	next(quota.BlockChanged, "b")
	for _, e := range []quota.Event{
		{Kind: quota.ModelBusy, Replica: "c", Model: "@cf/a/b c"}, {Kind: quota.ModelFree, Replica: "a", Model: "@cf/a/b c"},
	} {
		if err := s.Publish(t.Context(), e); err != nil {
			t.Error(err)
		}
		hear(e)
	}
}

func ended(t *testing.T, open Place) {
	s := open(t)
	a := holder{name: "a"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sync(ctx, a.report(of(0, 0, 1, n))); err == nil {
		t.Error("Exchange does not mind")
	}
	if _, err := s.History(ctx, day, day); err == nil {
		t.Error("History does not mind")
	}
	if _, err := s.Hours(ctx, day); err == nil {
		t.Error("Hours does not mind")
	}
	if _, err := s.Lease(ctx, "x", time.Hour); err == nil {
		t.Error("Lease does not mind")
	}
	expect(t, exchange(t, s, a.report(of(0, 0, 1, n))), n, quota.Balance{Held: n, Free: limit - n})
}
