package status

import (
	"context"
	"time"

	"github.com/neuronward/neuronward/metrics/minutes"
	"github.com/neuronward/neuronward/quota"
)

// sampleInterval is how often the day is sampled for the page's curve, which keeps the last sample of each minute.
const sampleInterval = 10 * time.Second

// Sample keeps the state of the day in m, for the page's curve, until ctx ends. Without a ledger it returns at once.
func Sample(ctx context.Context, ledger *quota.Ledger, m *minutes.Minutes) {
	if ledger == nil {
		return
	}
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		s := ledger.Snapshot()
		m.Sample(minutes.Sample{
			At: time.Now(), Day: int64(s.Day),
			Used: s.Account.Used.Float(), Reserved: s.Account.Reserved.Float(), External: s.Account.External.Float(),
		})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
