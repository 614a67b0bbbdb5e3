package proxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/normalize"
)

const (
	// A model's breaker opens when, within tallyPeriod, 3040 has gone on for at least openAfter and has met at least openFrom
	// calls, while at most one in openShare was taken: not on a burst of failures alone.
	tallyPeriod = 30 * time.Second
	openAfter   = 2 * time.Second
	openFrom    = 25
	openShare   = 10

	// While it is open one call is let through after a pause, which grows as long as 3040 goes on.
	firstTrial = time.Second
	mostTrial  = 10 * time.Second

	// maxBreakers bounds how many models are watched. Only Workers AI's own word adds one.
	maxBreakers = 1000
)

// breakers spare a model that is out of capacity (3040) the calls that would
// find it so again, one breaker a model: callers get their answer at once, and a
// trickle of calls finds out when there is room again.
type breakers struct {
	watched atomic.Int64 // models in the map; while it is 0, nothing is locked
	mu      sync.Mutex
	models  map[string]*breaker
}

type breaker struct {
	since      time.Time // the first 3040 of the tally
	busy, fine int
	opened     time.Time // zero: it is closed
	next       time.Time // when the next trial may go
	pause      time.Duration
}

// A Breaker is how the breaker of one model stands, for /status.
type Breaker struct {
	Model     string    `json:"model"`
	NextTrial time.Time `json:"next_trial"` // when a call is let through to see
}

// admit reports whether a call of the model may go, now, and if not, how long it
// takes until one may. goes says that it does go if it may.
func (b *breakers) admit(model string, now time.Time, goes bool) (wait time.Duration, ok bool) {
	if b.watched.Load() == 0 {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.models[model]
	if m == nil || !m.open() {
		return 0, true
	}
	if wait := m.next.Sub(now); wait > 0 {
		return wait, false
	}
	if goes {
		// This call is the trial. Should it end without a word, another follows.
		m.next = now.Add(m.pause)
	}
	return 0, true
}

// isOpen reports whether calls of the model are being spared.
func (b *breakers) isOpen(model string) bool {
	if b.watched.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.models[model]
	return m != nil && m.open()
}

func (m *breaker) open() bool { return !m.opened.IsZero() }

// busy notes that Workers AI had no capacity for a call of the model, and
// reports whether its breaker is open, and whether this opened it.
func (b *breakers) busy(model string, now time.Time) (open, opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.watch(model, now)
	if m == nil {
		return false, false
	}
	if m.open() {
		m.pause = min(2*m.pause, mostTrial)
		m.next = now.Add(m.pause)
		return true, false
	}
	m.age(now)
	m.busy++
	if m.busy < openFrom || now.Sub(m.since) < openAfter || m.fine*openShare > m.busy+m.fine {
		return false, false
	}
	m.shut(now)
	return true, true
}

// shut begins to spare the model.
func (m *breaker) shut(now time.Time) {
	m.opened, m.pause = now, firstTrial
	m.next = now.Add(m.pause)
}

// watch returns the breaker of model, which it makes if there is none, or nil if
// there are too many.
func (b *breakers) watch(model string, now time.Time) *breaker {
	if m := b.models[model]; m != nil {
		return m
	}
	if len(b.models) >= maxBreakers {
		b.forget(now)
	}
	if len(b.models) >= maxBreakers {
		return nil
	}
	if b.models == nil {
		b.models = make(map[string]*breaker)
	}
	m := &breaker{since: now}
	b.models[model] = m
	b.watched.Store(int64(len(b.models)))
	return m
}

// unwatch forgets what is known of model.
func (b *breakers) unwatch(model string) {
	delete(b.models, model)
	b.watched.Store(int64(len(b.models)))
}

// fine notes that a call of the model was taken that was sent at the time sent,
// and reports whether this closed its breaker.
func (b *breakers) fine(model string, sent, now time.Time) (closed bool) {
	if b.watched.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.models[model]
	switch {
	case m == nil, m.open() && !sent.After(m.opened):
		return false
	case m.open():
		b.unwatch(model)
		return true
	}
	m.age(now)
	m.fine++
	if m.busy == 0 {
		b.unwatch(model)
	}
	return false
}

// age begins a new tally when the present one is old.
func (m *breaker) age(now time.Time) {
	if now.Sub(m.since) >= tallyPeriod {
		m.since, m.busy, m.fine = now, 0, 0
	}
}

// forget drops what nothing was heard of for a while.
func (b *breakers) forget(now time.Time) {
	maps.DeleteFunc(b.models, func(_ string, m *breaker) bool {
		return now.Sub(m.since) >= tallyPeriod && now.Sub(m.next) >= tallyPeriod
	})
}

// standing lists the open breakers by model.
func (b *breakers) standing() []Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []Breaker{}
	for model, m := range b.models {
		if m.open() {
			list = append(list, Breaker{Model: model, NextTrial: m.next.UTC().Truncate(time.Millisecond)})
		}
	}
	slices.SortFunc(list, func(a, b Breaker) int { return strings.Compare(a.Model, b.Model) })
	return list
}

// Breakers lists the models that Workers AI has no capacity for at present, of
// which most calls are answered here.
func (p *Proxy) Breakers() []Breaker { return p.breakers.standing() }

// BreakerLabels is the same for a label: models that are not known are other.
func (p *Proxy) BreakerLabels() []string {
	labels := []string{}
	for _, b := range p.Breakers() {
		if label := p.modelLabel(b.Model); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// capacity answers a call in Workers AI's place while its model is out of
// capacity. goes says that the call is sent next if it may be.
func (p *Proxy) capacity(c *call, goes bool) error {
	if c.model == "" || p.provoked(c) {
		return nil
	}
	wait, ok := p.breakers.admit(c.model, time.Now(), goes)
	if ok {
		return nil
	}
	if p.observes() {
		if goes { // asked twice of each call, counted once
			p.metrics.Preempted("capacity", metrics.ModeObserve)
		}
		return nil
	}
	p.metrics.Preempted("capacity", metrics.ModeEnforce)
	f := refuse(normalize.OutOfCapacity, fmt.Sprintf("Workers AI has no capacity for %s at present, so this call was not sent. One call is let through every few seconds to see.", clip(c.model, 100)), "")
	f.MatchedBy, f.NoRetry = normalize.MatchedRate, true
	f.RetryAfter = max(wait, time.Second)
	return f
}

// noteCapacity takes what one attempt says of its model's capacity: status is
// upstream's, 0 where no answer came, and f is nil for a success.
func (p *Proxy) noteCapacity(c *call, f *normalize.Failure, status int) {
	switch {
	case p.retries == 0 || c.model == "" || status == 0 || p.provoked(c):
	case f == nil && !c.charge.cached: // another failure says nothing of room
		if p.breakers.fine(c.model, c.tried, time.Now()) {
			p.log.Info("Workers AI has capacity for a model again", "model", p.modelText(c))
			p.tellCapacity(c.model, true)
		}
	case f != nil && f.Code == normalize.OutOfCapacity && c.attempts == 1 && !c.rejectIfBusy(): // who waits for nothing hears 3040 more often than others do
		open, opened := p.breakers.busy(c.model, time.Now())
		if opened {
			p.log.Warn("Workers AI has no capacity for a model; most of its calls are answered here with 3040 until it has", "model", p.modelText(c))
		}
		if open { // again with each trial: what others did not hear, they hear then
			p.tellCapacity(c.model, false)
		}
	}
}
