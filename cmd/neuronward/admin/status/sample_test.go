package status

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
)

func TestSample(t *testing.T) {
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 40*time.Minute)
		o := quota.Options{Store: memstore.New(nil), Limit: 100 * quota.OneNeuron}
		ledger, err := quota.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		m := minutes.New()
		ended := make(chan struct{})
		go func() { defer close(ended); Sample(ctx, ledger, m) }()
		time.Sleep(10*time.Minute + sampleInterval/2) // between two looks
		res, _, err := ledger.Reserve(t.Context(), quota.Call{Model: "m", Estimate: 5 * quota.OneNeuron})
		if err != nil {
			t.Fatal(err)
		}
		res.Settle(quota.Cost{Neurons: 4 * quota.OneNeuron, Basis: quota.Reported})
		time.Sleep(40 * time.Minute)
		now := time.Now()
		day := now.Unix() / 86400
		yesterday, today := m.Samples(day-1, now), m.Samples(day, now)
		if len(yesterday) != 20 || len(today) != 31 {
			t.Fatalf("got %d samples of yesterday, %d of today; want 20, 31", len(yesterday), len(today))
		}
		if first, last := yesterday[9].Used, yesterday[19].Used; first != 0 || last != 4 {
			t.Errorf("yesterday: got %g neurons before the call, %g after it; want 0, 4", first, last)
		}
		if got := today[0].Used; got != 0 {
			t.Errorf("today: got %g neurons at the beginning, want 0", got)
		}
		cancel()
		<-ended
		if err := ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	Sample(t.Context(), nil, nil) // returns: there is nothing to look at
}
