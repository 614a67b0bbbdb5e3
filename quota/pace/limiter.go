package pace

import (
	"context"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota/workload"
)

// Limiter keeps calls within limits of requests per minute, by task, model and
// client: no more calls pass than the limit in any 60 seconds. A call may wait.
// Clients that wait for one limit are served in turns, and the calls of one
// client in order of arrival; only calls to different models may overtake each
// other. It is safe for many goroutines and starts none that stays. Make one with
// New.
type Limiter struct {
	table Table

	mu         sync.Mutex // guards all that follows, and every limit
	limits     map[limitKey]*limit
	sweepAt    time.Time // when idle limits are dropped next
	share      float64   // of all limits that is this process'
	changedAt  time.Time // when share changed last; zero: never
	burstShare float64   // a limit that is made later had the burst of this share at changedAt
}

// New returns a Limiter with the limits of t.
func New(t Table) *Limiter {
	return &Limiter{
		table: t.full(), limits: make(map[limitKey]*limit), sweepAt: time.Now().Add(sweepEvery),
		share: 1, burstShare: 1,
	}
}

// A Key is what a Limiter needs to know of a call.
type Key struct {
	Task        workload.Task // the model's; "": unknown, taken as TextGeneration, which nearly every new model is
	Model       string        //
	PaidOnly    bool          // the model requires Workers Paid
	Client      string        // "" is a client, too
	ClientLimit int           // the client's own requests per minute; 0: none
}

func (k *Key) task() workload.Task {
	if k.Task == "" {
		return workload.TextGeneration
	}
	return k.Task
}

// A Decision says whether a call may be made now. All but OK and Waited describe
// a refusal.
type Decision struct {
	OK         bool
	Limit      string        // that refused: a task, a model, or "client"
	Client     string        // where that is "client"
	PerMinute  int           // the limit
	Pace       float64       // requests per minute of the limit in this process: less after 3021, or with a share
	Window     time.Duration // of PerMinute: a minute
	RetryAfter time.Duration // after which the call passes at once, if nobody else comes and all who wait now stay
	Waited     time.Duration
}

// Acquire lets a call pass, after it has waited up to maxWait. It is refused at
// once if it cannot pass within that time unless somebody before it leaves, and
// later if calls of other clients have come in between. A call that several
// limits apply to counts in all of them or in none. The error is ctx's, if ctx
// ends first; then the call counts nowhere.
func (p *Limiter) Acquire(ctx context.Context, key Key, maxWait time.Duration) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	w, d := p.acquire(ctx, &key, maxWait)
	if w == nil {
		return d, nil
	}
	return w.wait(maxWait)
}

// acquire decides on a call, or returns the waiter in the queue if it must wait.
func (p *Limiter) acquire(ctx context.Context, key *Key, maxWait time.Duration) (*waiter, Decision) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limitsOf(key, now)
	if l.n == 0 || l.tryTake(key.Client) {
		return nil, Decision{OK: true}
	}
	delay, blocker := l.delayInQueue(key.Client)
	if delay > maxWait {
		return nil, l.refusal(blocker, key.Client)
	}
	w := &waiter{limits: l, ctx: ctx, client: key.Client, since: now, ready: make(chan struct{})}
	alone, _ := l.delay()
	w.enqueue(blocker, alone)
	return w, Decision{}
}

// Throttled says that Workers AI refused the call with 3021 at the time now:
// somebody else spends the same limit. It halves the pace of the model, which
// then recovers step by step, and reports whether it did: several refusals at
// once are one signal. A model that shares its task's limit becomes slower by
// itself. Where the task has no published limit, 300 is presumed until the pace
// has recovered.
func (p *Limiter) Throttled(key Key, now time.Time) bool {
	if p.table.off {
		return false
	}
	of := p.table.of(&key)
	if of.kind == taskLimit && key.Model != "" {
		of = learnedKey(of, key.Model)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limit(of, &key)
	if l == nil {
		return false
	}
	l.advance(now)
	return l.halve() // a timer that is too early now finds out when it runs
}
