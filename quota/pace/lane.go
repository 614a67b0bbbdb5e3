package pace

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neuronward/neuronward/quota"
)

const (
	// backOffGap is how long after a halving further 3021s mean nothing: they answer calls that were on their way. Three halvings fit
	// into one minute of Cloudflare's.
	backOffGap = 20 * time.Second

	// A pace recovers by 1/recoverySteps of its limit, at least 1 request per minute, each recoverEvery without 3021: from half of
	// it in two and a half minutes.
	recoverEvery  = 15 * time.Second
	recoverySteps = 20

	// lowestShare of its limit, and at least 1 request per minute, is what a pace is never halved below.
	lowestShare = 1.0 / 50

	// never is longer than any wait.
	never = time.Duration(math.MaxInt64)
)

// laneKind says what a lane is for.
type laneKind uint8

const (
	laneOfTask   laneKind = iota
	laneOfModel           // a model with a limit of its own
	laneLearned           // a model that shares its task's limit, slower since 3021
	laneOfClient          //
)

// laneKey says which lane. The limit is part of it, so that a client whose limit
// is changed gets another lane.
type laneKey struct {
	kind      laneKind
	name      string
	perMinute int
}

// lane is one limit: a bucket of tokens and the calls that wait for one.
type lane struct {
	laneKey
	task quota.Task // "" of a client

	mu      *sync.Mutex // the Limiter's
	bucket  *rate.Limiter
	seen    time.Time // the latest time that came by
	used    time.Time // when a call asked for a token last
	pace    float64   // requests per minute; perMinute where nothing is learned
	share   float64   // of it that is this process'
	backed  time.Time // when pace was halved last
	stepped time.Time // when it recovered last, or was halved

	queue   crowd       // calls that wait of which this is the first lane
	waiting int         // calls that wait and will need a token of this lane
	held    int         // those among them that this lane holds back
	timer   *time.Timer // runs wake
	wakeAt  time.Time   // when; zero: not set
}

// newLane returns a lane as it would stand if it had had the burst of the share
// filled at the time from, and nobody had used it since.
func newLane(mu *sync.Mutex, key laneKey, task quota.Task, share, filled float64, from time.Time) *lane {
	l := &lane{mu: mu, laneKey: key, task: task, pace: float64(key.perMinute), share: share, seen: from}
	r, burst := bucketOf(l.pace, filled)
	if filled == 0 {
		burst = 0
	}
	l.bucket = rate.NewLimiter(r, burst)
	l.retune()
	return l
}

// title is what a caller is told of whose limit it is.
func (l *lane) title() string {
	if l.kind == laneOfClient {
		return "client"
	}
	return l.name
}

// bucketOf returns the rate per second and the burst that never let more than
// perMinute requests through in any 60 seconds: what the bucket can hold and
// what flows in add up to that. A larger burst would serve more at once and
// less in the long run. Below 20 the burst is a fifth, since 4 would leave
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

// advance moves l to the time now, unless it has seen a later one: a
// rate.Limiter whose time goes back counts that time twice.
func (l *lane) advance(now time.Time) {
	if now.After(l.seen) {
		l.seen = now
	}
	l.recover()
}

// recover makes the steps of recovery that are due.
func (l *lane) recover() {
	limit := float64(l.perMinute)
	if l.pace >= limit {
		return
	}
	passed := l.seen.Sub(l.stepped).Truncate(recoverEvery)
	if passed <= 0 {
		return
	}
	l.stepped = l.stepped.Add(passed)
	l.pace = min(l.pace+float64(passed/recoverEvery)*max(limit/recoverySteps, 1), limit)
	l.retune()
}

// backOff halves the pace and reports whether it is lower now.
func (l *lane) backOff() bool {
	if !l.backed.IsZero() && l.seen.Sub(l.backed) < backOffGap {
		return false
	}
	before := l.pace
	l.backed, l.stepped = l.seen, l.seen
	l.pace = max(l.pace/2, float64(l.perMinute)*lowestShare, 1)
	l.retune()
	return l.pace < before
}

// retune gives the bucket the shape of the present pace.
func (l *lane) retune() {
	r, burst := bucketOf(l.pace, l.share)
	l.bucket.SetLimitAt(l.seen, r)
	l.bucket.SetBurstAt(l.seen, burst)
}

// until returns how long until n tokens are there if nobody takes one, 0 where
// they are. It rounds as rate.Limiter does, so that AllowN agrees.
func (l *lane) until(n int) time.Duration {
	missing := float64(n) - l.bucket.TokensAt(l.seen)
	if missing <= 0 {
		return 0
	}
	d := time.Duration(missing / float64(l.bucket.Limit()) * float64(time.Second))
	if d == 0 {
		return 0
	}
	return d + 1
}

// take takes a token and reports whether there was one; until says it before.
func (l *lane) take() bool {
	l.used = l.seen
	return l.bucket.AllowN(l.seen, 1)
}

// idle reports whether nothing is lost if l is forgotten: a new one would stand
// as it does.
func (l *lane) idle() bool {
	if l.waiting > 0 || l.pace < float64(l.perMinute) {
		return false
	}
	if l.kind == laneLearned {
		return true // once it has recovered it has nothing more to say
	}
	return l.seen.Sub(l.used) >= idleFor && l.until(l.bucket.Burst()) == 0
}
