package pace

import "time"

const (
	// minShare is the smallest share of the limits that a process may have: with none at all it would never recover.
	minShare = 0.001

	// fillTime is how long the burst of any limit takes to fill.
	fillTime = 61 * time.Second
)

// SetShare sets which part of all limits is this process': 1 where it is alone,
// 1/n where n replicas share them. Less than 0.001 is taken as that, more than 1
// as 1. Where the share of a limit is below one request per minute, one may
// still pass at once.
func (p *Limiter) SetShare(share float64, now time.Time) {
	if !(share > minShare) { // NaN, too
		share = minShare
	}
	share = min(share, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if share == p.share {
		return
	}
	if now.Sub(p.changedAt) < fillTime {
		p.burstShare = min(p.burstShare, p.share, share)
	} else {
		p.burstShare = min(p.share, share)
	}
	p.share, p.changedAt = share, now
	for _, l := range p.limits {
		l.advance(now)
		l.share = share
		l.retune()
	}
	for _, l := range p.limits { // once all are retuned: a call may wait for several
		l.serve()
	}
}

// Join says that other replicas have spent of the limits up to now: a limit that
// is not in use yet begins without a burst.
func (p *Limiter) Join(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.burstShare, p.changedAt = 0, now
}
