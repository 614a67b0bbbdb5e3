package quota

import "time"

// A holder that the store has not heard of for the day, since the day has just
// begun or the store has lost its rows, may live all the same: after two
// heartbeats it has been heard of. Before the end of the day those whose clock is
// a little ahead have left it.
const (
	gathering = 2 * Heartbeat
	parting   = 5 // seconds
)

// heardOf takes the number of holders that live from s, and gives the Pace its
// share. It believes at once that there are more, but while holders move to a new
// day or to an emptied store it does not believe that there are fewer.
func (l *Ledger) heardOf(s State, now time.Time) {
	before := l.holders
	if s.Joined {
		l.rejoined = time.Now()
	}
	n := max(s.Holders, 1)
	if n < before && (time.Since(l.rejoined) < gathering || now.Unix() >= l.dayEnd-parting) {
		return
	}
	l.holders = n
	if p := l.o.Pace; p != nil {
		if before == 0 && n > 1 {
			p.join(time.Now())
		}
		p.SetShare(1/float64(n), time.Now())
	}
}
