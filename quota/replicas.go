package quota

import "time"

// A holder that the store has not heard of for the day, since the day has just
// begun or the store has lost its rows, may live all the same: after two
// heartbeats it has been heard of. Two whose clocks differ begin the day as much
// apart, and before its end the one whose clock is ahead has left it.
const (
	gathering = 2 * Heartbeat
	apart     = 2 * clockTolerance // one clock is ahead, the other one behind
)

// heardOf takes the number of holders that live from s, and gives the RateLimiter its
// share. It believes at once that there are more, but while holders move to a new
// day or to an emptied store it does not believe that there are fewer.
func (l *Ledger) heardOf(s Reply, now time.Time) {
	before := l.holders
	if s.Joined {
		l.gather(gathering)
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
