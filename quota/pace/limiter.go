package pace

import (
	"context"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

const (
	// mostLanes bounds the limits that are kept at once, beside one for each task: a caller may name any model.
	mostLanes = 4096

	// sweepEvery is how often idle limits are dropped, and idleFor how long they must not have been used: a limit that is seldom used
	// is not made anew for each call, nor do its series come and go.
	sweepEvery = time.Minute
	idleFor    = 5 * time.Minute

	// leastShare is the least that a process may have of the limits: nothing at all would never recover by itself.
	leastShare = 0.001

	// fillTime is how long the burst of any limit takes to fill.
	fillTime = 61 * time.Second
)

// Limiter keeps calls within limits of requests per minute, by task, model and
// client: never more than the limit in any 60 seconds. A call may wait its turn.
// Of those that one limit holds back, clients go in turns, and the calls of one
// client in order of arrival; only those to different models may overtake each
// other. It is safe for many goroutines and starts none that stays. Make one
// with New.
type Limiter struct {
	limits Table

	mu      sync.Mutex // of all that follows, and of all lanes
	lanes   map[laneKey]*lane
	sweepAt time.Time
	share   float64
	filled  float64   // the share whose burst a limit had at the time changed that is not in use
	changed time.Time // when share changed last; zero: never
}

// New returns a Limiter of limits.
func New(limits Table) *Limiter {
	return &Limiter{
		limits: limits.full(), lanes: make(map[laneKey]*lane), sweepAt: time.Now().Add(sweepEvery), share: 1, filled: 1,
	}
}

// A Key is what a Limiter must know of a call.
type Key struct {
	Task        quota.Task // the model's; "": not known, taken as TextGeneration, which nearly every new model is
	Model       string     //
	PaidOnly    bool       // Price.RequiresWorkersPaid of the model
	Client      string     // "" is one, too
	ClientLimit int        // the client's own requests per minute; 0: none
}

func (k *Key) task() quota.Task {
	if k.Task == "" {
		return quota.TextGeneration
	}
	return k.Task
}

// A Decision says whether a call may be made now. All but OK and Waited is
// for refusals.
type Decision struct {
	OK         bool
	Limit      string        // that refused: a task, a model, or "client"
	Client     string        // where that is "client"
	PerMinute  int           // the limit
	Pace       float64       // at which it stands in this process, in requests per minute: less after 3021, or with a share
	Window     time.Duration // of PerMinute: a minute
	RetryAfter time.Duration // after which the call passes at once, if nobody comes before it and those who wait now stay
	Waited     time.Duration
}

// Acquire lets a call through, having waited for its turn up to maxWait. It is
// refused at once if its turn cannot come within that time unless somebody who
// is before it leaves, and later if calls of other clients have come in between.
// A call that several limits apply to counts in all of them or in none. The
// error is ctx's, if that ends first; then the call counts nowhere.
func (p *Limiter) Acquire(ctx context.Context, key Key, maxWait time.Duration) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	t, d := p.acquire(ctx, &key, maxWait)
	if t == nil {
		return d, nil
	}
	return t.await(maxWait)
}

// acquire decides on a call, or returns its turn if it must wait.
func (p *Limiter) acquire(ctx context.Context, key *Key, maxWait time.Duration) (*turn, Decision) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.way(key, now)
	if w.n == 0 || w.passes(key.Client) {
		return nil, Decision{OK: true}
	}
	wait, by := w.dueBehind(key.Client)
	if wait > maxWait {
		return nil, w.refusal(by, key.Client)
	}
	t := &turn{way: w, ctx: ctx, client: key.Client, since: now, ready: make(chan struct{})}
	alone, _ := w.due()
	t.enqueue(by, alone)
	return t, Decision{}
}

// Throttled says that Workers AI refused the call with 3021 at the time now:
// somebody else spends the same limit. It halves the pace of the model, which
// then recovers step by step, and reports whether it did: a volley of refusals
// is one signal. A model that shares its task's limit becomes slower by itself;
// where the task has no published limit, 300 is presumed until it has recovered.
func (p *Limiter) Throttled(key Key, now time.Time) bool {
	if p.limits.off {
		return false
	}
	own := p.limits.of(&key)
	if own.kind == laneOfTask && key.Model != "" {
		own = learned(own, key.Model)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(own, &key)
	if l == nil {
		return false
	}
	l.advance(now)
	return l.backOff() // timers that are too early now find out when they run
}

// SetShare sets which part of all limits is this process': 1 where it is alone,
// 1/n where n replicas share them. Less than 0.001 is taken as that, more than 1
// as 1. Where the share of a limit is below one request per minute, one may
// still pass at once.
func (p *Limiter) SetShare(share float64, now time.Time) {
	if !(share > leastShare) { // nor is NaN
		share = leastShare
	}
	share = min(share, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if share == p.share {
		return
	}
	if now.Sub(p.changed) < fillTime {
		p.filled = min(p.filled, p.share, share)
	} else {
		p.filled = min(p.share, share)
	}
	p.share, p.changed = share, now
	for _, l := range p.lanes {
		l.advance(now)
		l.share = share
		l.retune()
	}
	for _, l := range p.lanes { // once all are retuned: a call may wait for several
		l.serve()
	}
}

// Join says that others have spent of the limits up to now: what is not in use
// yet begins without a burst.
func (p *Limiter) Join(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filled, p.changed = 0, now
}
