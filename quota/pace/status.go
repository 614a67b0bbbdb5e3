package pace

import (
	"cmp"
	"slices"
	"time"

	"github.com/neuronward/neuronward/quota/workload"
)

// A Status is how one limit stands that calls have used lately, or that is slower
// since 3021.
type Status struct {
	Task      workload.Task
	Model     string  // "" where the models of the task share the limit
	PerMinute int     // the limit
	Pace      float64 // requests per minute of the limit in this process: less after 3021, or with a share
	Learned   bool    // 3021 lowered it
	Waiting   int     // calls
}

// Snapshot returns how the limits of tasks and models stand that are in use, by
// task and model. There are at most 4,096 and one for each task.
func (p *Limiter) Snapshot(now time.Time) []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
	var all []Status
	for _, l := range p.limits {
		if l.kind == clientLimit {
			continue
		}
		s := Status{
			Task: l.task, PerMinute: l.perMinute, Pace: l.pace * l.share, Learned: l.pace < float64(l.perMinute),
			Waiting: l.waiting,
		}
		if l.kind != taskLimit {
			s.Model = l.name
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Model, b.Model))
	})
	return all
}

// A Remainder is what is left of the limit that has least left.
type Remainder struct {
	Limit     string        // a task, a model, or "client"
	PerMinute int           // the limit
	Window    time.Duration // of PerMinute: a minute
	Requests  int           // that would pass at once
	Full      time.Duration // until the whole burst would pass at once, if nobody calls
}

// Remaining returns what is left for calls like key, and whether any limit
// applies to them.
func (p *Limiter) Remaining(key Key, now time.Time) (Remainder, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ls := p.limitsOf(&key, now)
	var least Remainder
	for i, l := range ls.all() {
		n := max(int(l.bucket.TokensAt(l.now))-l.waiting, 0)
		if i > 0 && n >= least.Requests {
			continue
		}
		least = Remainder{
			Limit: l.title(), PerMinute: l.perMinute, Window: time.Minute, Requests: n, Full: l.until(l.bucket.Burst()),
		}
	}
	return least, ls.n > 0
}
