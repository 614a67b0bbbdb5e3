package quota

import (
	"time"

	"github.com/neuronward/neuronward/quota/clock"
)

// clockApart is how far the clocks of two replicas may differ: one is ahead, the other one behind. They begin the day
// that much apart, and before its end the one that is ahead has left it.
const clockApart = 2 * clock.Tolerance

// replicaCount is how many replicas are alive, as far as is known. While replicas move to a new day, or to a store
// that has lost its rows, some have not reported, and a lower number is not taken.
type replicaCount struct {
	n          int           // 0: no sync was answered yet
	incomplete time.Time     // until when replicas may be alive that have not reported
	delay      time.Duration // how long one that is alive takes at most to report to a new day, or to an emptied store
}

// expect says that for d, or longer if it already is so, replicas may be alive that have not reported.
func (c *replicaCount) expect(d time.Duration) {
	if end := time.Now().Add(d); end.After(c.incomplete) {
		c.incomplete = end
	}
}

// countReplicas takes the number of replicas from the store's reply, and gives the rate limiter its share.
func (l *Ledger) countReplicas(reply Reply, now time.Time) {
	c := &l.replicas
	if reply.Joined {
		c.expect(c.delay)
	}
	before, n := c.n, max(reply.Replicas, 1)
	if n < before && (time.Now().Before(c.incomplete) || !now.Before(l.dayEnd.Add(-clockApart))) {
		return
	}
	c.n = n
	if p := l.o.Pace; p != nil {
		if before == 0 && n > 1 {
			p.Join(time.Now())
		}
		p.SetShare(1/float64(n), time.Now())
	}
}
