package status

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/quota"
)

func TestTheDayIsSampled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the race detector of Go 1.26 crashes when two processors fire timers of one bubble
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 40*time.Minute)
		ledger, err := quota.New(t.Context(), quota.Options{Store: quota.NewMemory(nil), Limit: 100 * quota.OneNeuron})
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
		if len(yesterday) != 20 || yesterday[19].Used != 4 || yesterday[9].Used != 0 || len(today) != 31 || today[0].Used != 0 {
			t.Errorf("%d samples of yesterday, %d of today; the last of yesterday %+v, the first of today %+v", len(yesterday), len(today), yesterday[len(yesterday)-1], today[0])
		}
		cancel()
		<-ended
		if err := ledger.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	Sample(t.Context(), nil, nil) // returns: there is nothing to look at
}
