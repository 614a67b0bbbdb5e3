package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

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
		t.Errorf("got %d owners, want 1", owners)
	}
	if ok, err := s.Lease(t.Context(), "another", time.Millisecond); !ok || err != nil {
		t.Errorf("another lease: got %v, %v, want true", ok, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		ok, err := s.Lease(t.Context(), "another", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("got a lease of 1 ms that holds for 10 s, want it ended")
		}
	}
	s = open(t)
	if ok, err := s.Lease(t.Context(), "probe", time.Hour); ok || err != nil {
		t.Errorf("after opening again: got %v, %v, want false", ok, err)
	}
}

func events(t *testing.T, open Place) {
	s := open(t)
	watch, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEvent := func(want quota.Event) {
		t.Helper()
		select {
		case e := <-watch:
			if e != want {
				t.Errorf("got event %+v, want %+v", e, want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("got no event, want %+v", want)
		}
	}
	a, b := replica{name: "a"}, replica{name: "b"}
	send(t, s, a.report(request(0, 0, 1, limit)))
	waits := request(0, 0, 50*n, 50*n)
	waits.Waiting = 50 * n
	send(t, s, b.report(waits))
	wantEvent(quota.Event{Kind: quota.NeuronsWanted, Replica: "b"})
	send(t, s, a.report(request(0, limit-50*n, 0, 0)))
	wantEvent(quota.Event{Kind: quota.NeuronsReturned, Replica: "a"})
	r := b.report(waits)
	r.Block.Set = quota.Block{Set: true, At: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).UTC()}
	send(t, s, r)
	wantEvent(quota.Event{Kind: quota.BlockChanged, Replica: "b"})
	for _, e := range []quota.Event{
		{Kind: quota.ModelBusy, Replica: "c", Model: "@cf/a/b c"},
		{Kind: quota.ModelFree, Replica: "a", Model: "@cf/a/b c"},
	} {
		if err := s.Publish(t.Context(), e); err != nil {
			t.Error(err)
		}
		wantEvent(e)
	}
}

func canceled(t *testing.T, open Place) {
	s := open(t)
	a := replica{name: "a"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, syncErr := s.Sync(ctx, a.report(request(0, 0, 1, n)))
	_, historyErr := s.History(ctx, day, day)
	_, hoursErr := s.Hours(ctx, day)
	_, pricesErr := s.Prices(ctx, day, quota.DayPrice{Since: time.Now()})
	_, leaseErr := s.Lease(ctx, "x", time.Hour)
	for name, err := range map[string]error{
		"Sync": syncErr, "History": historyErr, "Hours": hoursErr, "Prices": pricesErr, "Lease": leaseErr,
	} {
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	wantReply(t, send(t, s, a.report(request(0, 0, 1, n))), n, quota.Balance{Held: n, Free: limit - n})
}
