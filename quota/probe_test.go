package quota_test

import (
	"context"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// slowLease is a store whose leases take a while to come.
type slowLease struct {
	quota.Store
	takes time.Duration
}

func (s *slowLease) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	ours, err := s.Store.Lease(ctx, name, ttl)
	time.Sleep(s.takes)
	return ours, err
}

// However the block changes while a replica asks for its probe's lease, it probes again.
func TestTheBlockChangesDuringTheLease(t *testing.T) {
	for name, meanwhile := range map[string]func(a, b *quota.Ledger, inFlight *quota.Reservation){
		"set again by another replica": func(_, _ *quota.Ledger, inFlight *quota.Reservation) { inFlight.Refused() },
		"set again here":               func(a, _ *quota.Ledger, _ *quota.Reservation) { a.Block(time.Time{}) },
		"lifted and set again": func(_, b *quota.Ledger, inFlight *quota.Reservation) {
			b.Unblock()
			time.Sleep(100 * time.Millisecond)
			inFlight.Refused()
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				noon := before(12 * time.Hour)
				memory := memstore.New(noon)
				slow := &slowLease{Store: memory}
				o := quota.Options{Store: slow, Limit: 100 * n, Wait: time.Second, Probe: 30 * time.Minute, Now: noon}
				a := open(t, o)
				o.Store = memory
				b := open(t, o)
				inFlight := take(t, b, quota.Call{Estimate: n})
				a.Block(time.Time{})
				time.Sleep(31 * time.Minute)
				slow.takes = 1500 * time.Millisecond
				first := ask(t.Context(), a, quota.Call{Estimate: n})
				meanwhile(a, b, inFlight)
				inFlight.Release()
				time.Sleep(2 * time.Second)
				if !first.decided() {
					t.Fatal("the call still waits, want it decided")
				}
				if first.res != nil {
					first.res.Settle(settle(0)) // it showed nothing
				}
				slow.takes = 0
				time.Sleep(31 * time.Minute)
				takeProbe(t, a)
			})
		})
	}
}

// A probe that never reached Workers AI stays due, without another lease: the one that it had lasts half an hour.
func TestAProbeThatWasNeverSent(t *testing.T) {
	for name, unsent := range map[string]func(t *testing.T, l *quota.Ledger, slow *slowLease){
		"released": func(t *testing.T, l *quota.Ledger, _ *slowLease) {
			take(t, l, quota.Call{Estimate: n}).Release()
		},
		"released twice": func(t *testing.T, l *quota.Ledger, _ *slowLease) {
			take(t, l, quota.Call{Estimate: n}).Release()
			take(t, l, quota.Call{Estimate: n}).Release()
		},
		"too large": func(t *testing.T, l *quota.Ledger, _ *slowLease) {
			refused(t, l, quota.Call{Estimate: 200 * n}, quota.Exhausted)
		},
		"its caller left during the lease": func(t *testing.T, l *quota.Ledger, slow *slowLease) {
			slow.takes = time.Second
			ctx, leave := context.WithCancel(t.Context())
			left := ask(ctx, l, quota.Call{Estimate: n})
			leave()
			time.Sleep(time.Second)
			if left.decided(); left.res != nil {
				left.res.Release()
			}
		},
		"its caller left while it waited for neurons": func(t *testing.T, l *quota.Ledger, _ *slowLease) {
			ctx, leave := context.WithCancel(t.Context())
			waits := ask(ctx, l, quota.Call{Estimate: 60 * n})
			waits.mustWait(t)
			leave()
			<-waits.done
		},
		"it waited for neurons in vain": func(t *testing.T, l *quota.Ledger, _ *slowLease) {
			refused(t, l, quota.Call{Estimate: 60 * n}, quota.Contended)
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				noon := before(12 * time.Hour)
				slow := &slowLease{Store: memstore.New(noon)}
				l := open(t, quota.Options{
					Store: slow, Limit: 100 * n, Wait: time.Second, Probe: 30 * time.Minute, Now: noon,
				})
				take(t, l, quota.Call{Estimate: 50 * n}) // stays in flight
				l.Block(time.Time{})
				time.Sleep(30 * time.Minute)
				unsent(t, l, slow)
				probe := takeProbe(t, l)
				refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
				probe.Settle(settle(0)) // that one was used, and showed nothing
				refused(t, l, quota.Call{Estimate: n}, quota.Blocked)
			})
		})
	}
}

// What is left of a probe ends with its lease, and with its day.
func TestAProbeThatIsNotUsedEnds(t *testing.T) {
	for name, c := range map[string]struct {
		released, passes time.Duration
		ours             bool // another replica asks first
	}{
		"within its lease":    {0, 29 * time.Minute, true},
		"its lease has ended": {0, 31 * time.Minute, false},
		"the next day":        {11*time.Hour + 25*time.Minute, 10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				noon := before(12 * time.Hour)
				o := quota.Options{
					Store: memstore.New(noon), Limit: 100 * n, Probe: 30 * time.Minute,
					Heartbeat: sharedBeat, Now: noon,
				}
				a, b := open(t, o), open(t, o)
				a.Block(time.Time{})
				time.Sleep(30*time.Minute + c.released)
				take(t, a, quota.Call{Estimate: n}).Release()
				time.Sleep(c.passes)
				if !c.ours {
					take(t, b, quota.Call{Estimate: n})
				}
				res, d, err := a.Reserve(t.Context(), quota.Call{Estimate: n})
				fails(t, "Reserve", err, nil)
				if got := res != nil; got != c.ours {
					t.Errorf("got a reservation: %v, want %v: %+v", got, c.ours, d)
				}
			})
		})
	}
}

// A probe whose wait for neurons ends is over: no place is kept for it, and the next call probes.
func TestAProbeThatWaitsInVainEnds(t *testing.T) {
	virtually(t, func(t *testing.T) {
		l := open(t, quota.Options{
			Limit: 100 * n, Wait: 10 * time.Second, KeepPlace: time.Minute, Probe: 30 * time.Minute,
			Heartbeat: longBeat, Now: before(12 * time.Hour),
		})
		take(t, l, quota.Call{Estimate: 60 * n}) // stays in flight
		l.Block(time.Time{})
		time.Sleep(31 * time.Minute)
		d := refused(t, l, quota.Call{Estimate: 50 * n}, quota.Contended)
		equal(t, "the first call is a probe", d.Probe, true)
		time.Sleep(31 * time.Minute)
		takeProbe(t, l)
	})
}
