package proxy

import "time"

// linger keeps the connection of a stream that has failed for a while, or until the caller closes it, before it is cut.
// Node's fetch throws away what the app has not read yet when a connection breaks: cut at once, every reader that takes
// its time loses the failure. One that takes 50 ms for each event needs longer than the stream took to come. The call
// is over by then: it is settled, its slot is free and it is logged, and nobody who shuts this proxy down waits for it.
func (p *Proxy) linger(c *call) {
	if c.cut == 0 {
		return
	}
	unread := time.Duration(c.cut)*p.lingers/10 - c.attempt.streamed()
	enough := time.NewTimer(p.lingers + min(max(unread, 0), 19*p.lingers))
	defer enough.Stop()
	select {
	case <-enough.C:
	case <-c.caller.Done():
	case <-p.closed:
	}
}
