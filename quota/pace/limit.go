package pace

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neuronward/neuronward/quota/workload"
)

const (
	// halveGap is how long further 3021s are ignored after a halving: they answer calls that were sent before it. Three
	// halvings fit into one minute of Cloudflare's.
	halveGap = 20 * time.Second

	// A pace recovers by 1/recoverySteps of its limit, at least 1 request per minute, each recoverEvery without 3021:
	// from half of it in two and a half minutes.
	recoverEvery  = 15 * time.Second
	recoverySteps = 20

	// A pace is never halved below minPart of its limit, nor below 1 request per minute.
	minPart = 1.0 / 50

	// never is longer than any wait.
	never = time.Duration(math.MaxInt64)
)

// limitKind says what a limit is for.
type limitKind uint8

const (
	taskLimit    limitKind = iota // of all models of a task together
	modelLimit                    // of a model that has its own
	learnedLimit                  // of a model that shares its task's, slower since 3021
	clientLimit
)

// limitKey names a limit. Its value is part of the key, so that a client whose
// limit is changed gets another one.
type limitKey struct {
	kind      limitKind
	name      string
	perMinute int
}

// limit is one limit: a bucket of tokens and the calls that wait for one.
type limit struct {
	limitKey
	task workload.Task // "" of a client

	mu        *sync.Mutex // the Limiter's
	bucket    *rate.Limiter
	now       time.Time // the latest time that it was given
	usedAt    time.Time // when a call asked for a token last
	pace      float64   // requests per minute; perMinute where nothing is learned
	share     float64   // of it that is this process'
	halvedAt  time.Time // when pace was halved last
	steppedAt time.Time // when it recovered last, or was halved

	queue   fairQueue   // waiters of which this is the first limit
	waiting int         // waiters that will need a token of this limit
	blocked int         // those among them for which this limit has no token
	timer   *time.Timer // runs wake
	wakeAt  time.Time   // when; zero: not set
}

// newLimit returns a limit as it would stand if it had existed, and nobody had
// used it, since the share changed.
func (p *Limiter) newLimit(key limitKey, task workload.Task) *limit {
	l := &limit{limitKey: key, task: task, mu: &p.mu, now: p.changedAt, pace: float64(key.perMinute), share: p.share}
	r, burst := bucketOf(l.pace, p.burstShare)
	if p.burstShare == 0 {
		burst = 0
	}
	l.bucket = rate.NewLimiter(r, burst)
	l.retune()
	return l
}

// title is the name of the limit for a caller.
func (l *limit) title() string {
	if l.kind == clientLimit {
		return "client"
	}
	return l.name
}

// bucketOf returns the rate per second and the burst that never let more than
// perMinute requests pass in any 60 seconds: what the bucket can hold and what
// flows in add up to that. A larger burst would let more calls pass at once and
// fewer in the long run. Below 20 the burst is a fifth, since 4 would leave
// little or nothing to flow; below 2 requests come at least 61 seconds apart.
//
// A share of the limit has that share of both, so that the sum stays within the
// limit also while shares change, as long as each has a burst of 1.
func bucketOf(perMinute, share float64) (rate.Limit, int) {
	part := perMinute * share
	if part < 2 {
		return rate.Limit(min(part, 1) / 61), 1
	}
	burst := max(4, math.Floor(perMinute/10))
	if perMinute < 20 {
		burst = max(1, math.Floor(perMinute/5))
	}
	if own := burst * share; own >= 1 {
		return rate.Limit((perMinute - burst) * share / 60), int(own)
	}
	return rate.Limit((part - 1) / 60), 1
}

// advance moves l to the time now, unless it was given a later one: a
// rate.Limiter whose time goes back counts that time twice.
func (l *limit) advance(now time.Time) {
	if now.After(l.now) {
		l.now = now
	}
	l.recover()
}

// recover makes the steps of recovery that are due.
func (l *limit) recover() {
	limit := float64(l.perMinute)
	if l.pace >= limit {
		return
	}
	passed := l.now.Sub(l.steppedAt).Truncate(recoverEvery)
	if passed <= 0 {
		return
	}
	l.steppedAt = l.steppedAt.Add(passed)
	l.pace = min(l.pace+float64(passed/recoverEvery)*max(limit/recoverySteps, 1), limit)
	l.retune()
}

// halve halves the pace and reports whether it is lower now.
func (l *limit) halve() bool {
	if !l.halvedAt.IsZero() && l.now.Sub(l.halvedAt) < halveGap {
		return false
	}
	before := l.pace
	l.halvedAt, l.steppedAt = l.now, l.now
	l.pace = max(l.pace/2, float64(l.perMinute)*minPart, 1)
	l.retune()
	return l.pace < before
}

// retune gives the bucket the rate and the burst of the present pace.
func (l *limit) retune() {
	r, burst := bucketOf(l.pace, l.share)
	l.bucket.SetLimitAt(l.now, r)
	l.bucket.SetBurstAt(l.now, burst)
}

// until returns how long until there are n tokens if nobody takes one, 0 where
// there are. It rounds as rate.Limiter does, so that AllowN agrees.
func (l *limit) until(n int) time.Duration {
	missing := float64(n) - l.bucket.TokensAt(l.now)
	if missing <= 0 {
		return 0
	}
	d := time.Duration(missing / float64(l.bucket.Limit()) * float64(time.Second))
	if d == 0 {
		return 0
	}
	return d + 1
}

// take takes a token and reports whether there was one.
func (l *limit) take() bool {
	l.usedAt = l.now
	return l.bucket.AllowN(l.now, 1)
}

// idle reports whether nothing is lost if l is dropped: a new one would stand as
// it does.
func (l *limit) idle() bool {
	if l.waiting > 0 || l.pace < float64(l.perMinute) {
		return false
	}
	if l.kind == learnedLimit {
		return true // it has recovered
	}
	return l.now.Sub(l.usedAt) >= idleFor && l.until(l.bucket.Burst()) == 0
}
