package quota

import "time"

// apart is how far the clocks of two replicas may differ: one is ahead, the other one behind. They begin the day that much
// apart, and before its end the one that is ahead has left it.
const apart = 2 * clockTolerance

// gathering is how long a replica that is alive may take to report to a new day, or to a store that has lost its rows.
func (l *Ledger) gathering() time.Duration { return 2 * l.o.Heartbeat }

// heardOf takes the number of holders that live from s, and gives the RateLimiter its
// share. It believes at once that there are more, but while holders move to a new
// day or to an emptied store it does not believe that there are fewer.
func (l *Ledger) heardOf(s Reply, now time.Time) {
	before := l.holders
	if s.Joined {
		l.gather(l.gathering())
	}
	n := max(s.Replicas, 1)
	if n < before && (time.Now().Before(l.gathers) || now.Unix() >= l.dayEnd-int64(apart/time.Second)) {
		return
	}
	l.holders = n
	if p := l.o.Pace; p != nil {
		if before == 0 && n > 1 {
			p.Join(time.Now())
		}
		p.SetShare(1/float64(n), time.Now())
	}
}

// gather waits for d, or longer if it already does, until it believes that there
// are fewer holders.
func (l *Ledger) gather(d time.Duration) {
	if end := time.Now().Add(d); end.After(l.gathers) {
		l.gathers = end
	}
}
