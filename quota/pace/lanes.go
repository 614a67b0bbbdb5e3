package pace

import (
	"time"
)

// way returns the lanes of a call at the time now, having served who waits in
// the first of them: nobody who comes now may be before them.
func (p *Limiter) way(k *Key, now time.Time) way {
	if !now.Before(p.sweepAt) {
		p.sweep(now)
	}
	var w way
	key := p.limits.of(k)
	if key.perMinute > 0 {
		w.add(p.lane(key, k))
	}
	if key.kind == laneOfTask {
		w.add(p.lanes[learned(key, k.Model)])
	}
	if k.ClientLimit > 0 {
		w.add(p.lane(laneKey{laneOfClient, k.Client, k.ClientLimit}, k))
	}
	w.advance(now)
	if w.n > 0 && !w.lanes[0].queue.empty() {
		w.lanes[0].serve()
	}
	return w
}

// learned is where what was learned of a model is kept that spends its task's
// limit, or none.
func learned(shared laneKey, model string) laneKey {
	n := shared.perMinute
	if n == 0 {
		n = presumedPerMinute
	}
	return laneKey{laneLearned, model, n}
}

// lane returns the lane of key, which it makes if there is none. Where there are
// too many, a model shares its task's, and clients of one limit share one. It
// returns nil where there is no limit then.
func (p *Limiter) lane(key laneKey, k *Key) *lane {
	if l := p.lanes[key]; l != nil {
		return l
	}
	if len(p.lanes) >= mostLanes {
		if key.kind == laneOfClient {
			key.name = ""
		} else {
			key = p.limits.ofTask(k.task())
		}
	}
	if l := p.lanes[key]; l != nil || key.perMinute == 0 {
		return l
	}
	task := k.task()
	if key.kind == laneOfClient {
		task = ""
	}
	l := newLane(&p.mu, key, task, p.share, p.filled, p.changed)
	p.lanes[key] = l
	return l
}

// sweep drops idle lanes.
func (p *Limiter) sweep(now time.Time) {
	p.sweepAt = now.Add(sweepEvery)
	for key, l := range p.lanes {
		l.advance(now)
		if l.idle() {
			delete(p.lanes, key)
		}
	}
}
