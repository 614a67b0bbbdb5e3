package quota_test

import (
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

// One figure that is far too high refuses no call: it waits for a second one, which does not show it. What others have
// really spent counts with the second figure that shows it.
func TestAFigureThatJumps(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second quota.Neurons // figures, after one of 500
		err           error         // of the second
		external      quota.Neurons // then
	}{
		{"a wrong one", 9_999 * n, 500 * n, nil, 0},
		{"a wrong one, while others spend little", 9_999 * n, 600 * n, nil, 100 * n},
		{"others have spent half of the day", 5_500 * n, 5_500 * n, nil, 5_000 * n},
		{"and go on", 5_500 * n, 6_400 * n, nil, 5_900 * n},
		{"a wrong one before", 9_999 * n, 5_500 * n, nil, 5_000 * n},
		{"a wrong one after: what both show counts", 2_500 * n, 9_999 * n, quota.ErrUnconfirmed, 2_000 * n},
		{"one that lacks all after: the next one shows it", 5_500 * n, 0, quota.ErrDropped, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(12 * time.Hour)
				l := open(t, quota.Options{Limit: 10_000 * n, Heartbeat: longBeat})
				spend(t, l, 500*n)
				time.Sleep(time.Hour)
				fails(t, "the first figure", reads(t, l, 500*n), nil)
				time.Sleep(every)
				fails(t, "a figure that jumps", reads(t, l, c.first), quota.ErrUnconfirmed)
				time.Sleep(longBeat)
				equal(t, "external by one figure", l.Snapshot().Account.External, 0)
				take(t, l, quota.Call{Estimate: 3_000 * n}).Release()
				time.Sleep(longBeat)
				fails(t, "the second figure", reads(t, l, c.second), c.err)
				time.Sleep(longBeat)
				equal(t, "external by two figures", l.Snapshot().Account.External, c.external)
			})
		})
	}
}

// The first figure after a start is compared with none. It counts, and if it was too high, that ends with the second.
func TestTheFirstFigureIsTooHigh(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		store := memstore.New(nil)
		l := open(t, quota.Options{Store: store, Limit: 10_000 * n, Heartbeat: sharedBeat})
		time.Sleep(10 * time.Second)
		fails(t, "the first figure", reads(t, l, 9_999*n), nil)
		refused(t, l, quota.Call{Estimate: 2 * n}, quota.Exhausted)
		time.Sleep(time.Minute)
		fails(t, "the second figure", reads(t, l, 3_000*n), quota.ErrUnconfirmed)
		equal(t, "external by the second figure", l.Snapshot().Account.External, 3_000*n)
		spend(t, l, 2*n)
		time.Sleep(time.Minute)
		fails(t, "the third figure", reads(t, l, 3_000*n), nil)
		time.Sleep(every)
		fails(t, "a figure that lacks something", reads(t, l, 2_000*n), quota.ErrDropped)
	})
}

// A day begins with nothing spent, so that its first figure is compared with that.
func TestTheFirstFigureOfADayIsYesterdays(t *testing.T) {
	virtually(t, func(t *testing.T) {
		time.Sleep(23 * time.Hour)
		l := open(t, quota.Options{Limit: 10_000 * n, Heartbeat: longBeat})
		spend(t, l, 100*n)
		time.Sleep(time.Hour + 7*time.Minute)
		fails(t, "yesterday's figure", reads(t, l, 9_500*n), quota.ErrUnconfirmed)
		spend(t, l, 1_000*n)
		equal(t, "external", l.Snapshot().Account.External, 0)
	})
}
