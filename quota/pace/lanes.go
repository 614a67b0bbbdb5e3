package pace

import (
	"maps"
	"time"
)

// laneSet is the lanes of a Limiter at one time. It is never changed once made, so
// that finding one takes no lock.
type laneSet struct {
	byKey   map[laneKey]*lane
	learned bool // there are any of laneLearned
}

func newLaneSet(byKey map[laneKey]*lane) *laneSet {
	s := &laneSet{byKey: byKey}
	for key := range byKey {
		s.learned = s.learned || key.kind == laneLearned
	}
	return s
}

// locked returns the lanes of a call, locked at the time now.
func (p *Limiter) locked(k *Key, now time.Time) way {
	if int64(now.Sub(p.started)) >= p.sweepAt.Load() {
		p.sweep(now)
	}
	for {
		w := p.way(k)
		if w.lock(now) {
			return w
		}
	}
}

// way returns the lanes of a call.
func (p *Limiter) way(k *Key) way {
	var w way
	key := p.limits.of(k)
	if key.perMinute > 0 {
		if l := p.lane(key, k); l != nil {
			w.add(l)
		}
	}
	if lanes := p.lanes.Load(); lanes.learned && key.kind == laneOfTask {
		if l := lanes.byKey[learned(key, k.Model)]; l != nil {
			w.add(l)
		}
	}
	if k.ClientLimit > 0 {
		w.add(p.lane(laneKey{laneOfClient, k.Client, k.ClientLimit}, k))
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
	if l := p.lanes.Load().byKey[key]; l != nil {
		return l
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	lanes := p.lanes.Load().byKey
	if len(lanes) >= mostLanes {
		if key.kind == laneOfClient {
			key.name = ""
		} else {
			key = p.limits.ofTask(k.task())
		}
	}
	if l := lanes[key]; l != nil || key.perMinute == 0 {
		return l
	}
	task := k.task()
	if key.kind == laneOfClient {
		task = ""
	}
	l := newLane(key, task, p.share, p.filled, p.changed)
	more := make(map[laneKey]*lane, len(lanes)+1)
	maps.Copy(more, lanes)
	more[key] = l
	p.lanes.Store(newLaneSet(more))
	return l
}

// sweep drops idle lanes.
func (p *Limiter) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweepAt.Store(int64(now.Sub(p.started) + sweepEvery))
	kept := make(map[laneKey]*lane)
	lanes := p.lanes.Load().byKey
	for key, l := range lanes {
		l.lock(now)
		if l.dropped = l.idle(); !l.dropped {
			kept[key] = l
		}
		l.mu.Unlock()
	}
	if len(kept) < len(lanes) {
		p.lanes.Store(newLaneSet(kept))
	}
}
