package pace

import "time"

const (
	// maxLimits bounds the limits that are kept at once, beside one for each task: a caller may name any model.
	maxLimits = 4096

	// sweepEvery is how often idle limits are dropped, and idleFor how long they must not have been used. So a limit
	// that is seldom used is not made anew for each call, and its series stays.
	sweepEvery = time.Minute
	idleFor    = 5 * time.Minute
)

// limits are those that apply to one call. The call takes a token of each, or of
// none. It waits in the queue of the first.
type limits struct {
	each [3]*limit
	n    int
}

// add adds l, unless it is nil.
func (ls *limits) add(l *limit) {
	if l != nil {
		ls.each[ls.n] = l
		ls.n++
	}
}

func (ls *limits) all() []*limit { return ls.each[:ls.n] }

func (ls *limits) advance(now time.Time) {
	for _, l := range ls.all() {
		l.advance(now)
	}
}

// delay returns how long until each limit has a token, and the limit that is the
// last to have one, if no other call takes any.
func (ls *limits) delay() (longest time.Duration, last *limit) {
	last = ls.each[0]
	for _, l := range ls.all() {
		if d := l.until(1); d > longest {
			longest, last = d, l
		}
	}
	return longest, last
}

// delayInQueue is the same for a call of client that comes now, behind the
// waiters that are blocked by a limit and are served before it.
func (ls *limits) delayInQueue(client string) (longest time.Duration, last *limit) {
	last = ls.each[0]
	for _, l := range ls.all() {
		n := l.blocked
		if n > 0 && l.kind != clientLimit { // whose waiters are all of this client
			n = ls.each[0].queue.ahead(client, l)
		}
		if d := l.until(1 + n); d > longest {
			longest, last = d, l
		}
	}
	return longest, last
}

func (ls *limits) take() {
	for _, l := range ls.all() {
		l.take()
	}
}

// tryTake takes a token of each limit if all have one beside those for the
// waiters that they block, and reports whether it did.
func (ls *limits) tryTake(client string) bool {
	if l := ls.each[0]; ls.n == 1 && l.blocked == 0 {
		return l.take() // the same at less cost
	}
	if delay, _ := ls.delayInQueue(client); delay > 0 {
		return false
	}
	ls.take()
	return true
}

// refusal is the decision on a call that blocker is too slow for. RetryAfter
// suffices for all who wait now to take their tokens. With one limit it is exact;
// where calls wait for several, the delays are added up, which may be too long.
func (ls *limits) refusal(blocker *limit, client string) Decision {
	d := Decision{
		Limit: blocker.title(), PerMinute: blocker.perMinute, Pace: blocker.pace * blocker.share, Window: time.Minute,
	}
	if blocker.kind == clientLimit {
		d.Client = client
	}
	var longest, sum time.Duration
	waiting := 0
	for _, l := range ls.all() {
		delay := l.until(1 + l.waiting)
		longest = max(longest, delay)
		sum += delay
		waiting += l.waiting
	}
	if waiting > 0 {
		longest = sum
	}
	// Whole milliseconds: each token that is waited for is rounded by up to a nanosecond.
	d.RetryAfter = longest.Truncate(time.Millisecond) + time.Millisecond
	return d
}

// limitsOf returns the limits of a call at the time now. It has served who waits
// in the first of them: a call that comes now must not overtake a waiter whose
// timer is late.
func (p *Limiter) limitsOf(k *Key, now time.Time) limits {
	if !now.Before(p.sweepAt) {
		p.sweep(now)
	}
	var ls limits
	of := p.table.of(k)
	if of.perMinute > 0 {
		ls.add(p.limit(of, k))
	}
	if of.kind == taskLimit {
		ls.add(p.limits[learnedKey(of, k.Model)])
	}
	if k.ClientLimit > 0 {
		ls.add(p.limit(limitKey{clientLimit, k.Client, k.ClientLimit}, k))
	}
	ls.advance(now)
	if ls.n > 0 && !ls.each[0].queue.empty() {
		ls.each[0].serve()
	}
	return ls
}

// learnedKey names the limit that 3021 taught of a model which spends the limit
// shared, or none.
func learnedKey(shared limitKey, model string) limitKey {
	n := shared.perMinute
	if n == 0 {
		n = presumedPerMinute
	}
	return limitKey{learnedLimit, model, n}
}

// limit returns the limit called key, which it makes if there is none. Where
// there are too many, a model shares its task's, and clients with the same limit
// share one. It returns nil where there is no limit then.
func (p *Limiter) limit(key limitKey, k *Key) *limit {
	if l := p.limits[key]; l != nil {
		return l
	}
	if len(p.limits) >= maxLimits {
		if key.kind == clientLimit {
			key.name = ""
		} else {
			key = p.table.ofTask(k.task())
		}
	}
	if l := p.limits[key]; l != nil || key.perMinute == 0 {
		return l
	}
	task := k.task()
	if key.kind == clientLimit {
		task = ""
	}
	l := p.newLimit(key, task)
	p.limits[key] = l
	return l
}

// sweep drops idle limits.
func (p *Limiter) sweep(now time.Time) {
	p.sweepAt = now.Add(sweepEvery)
	for key, l := range p.limits {
		l.advance(now)
		if l.idle() {
			delete(p.limits, key)
		}
	}
}
