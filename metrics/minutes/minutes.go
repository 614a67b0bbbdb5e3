package minutes

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Hour is how many minutes calls and failures are kept for; the present one,
// which is not over, is the last of them.
const Hour = 60

// Bounds of what is kept. Labels are bounded where they are made; this is so
// that memory does not depend on that.
const (
	maxModels  = 512
	maxClients = 128

	slowest = 5  // minutes of one histogram of durations
	spans   = 13 // of them, which are 60 to 65 minutes
)

// other takes what does not fit any more.
const other = "other"

// Minutes is what one process knows of its last minutes. It takes 94 KiB, and
// 11 KiB more for each model and for each client that has called, 7 MiB at most. It is safe for concurrent use.
type Minutes struct {
	samples  samples
	failures ring[failures]
	models   table
	clients  table
}

// New returns Minutes in which nothing has happened.
func New() *Minutes {
	codes := len(normalize.Catalog())
	m := &Minutes{failures: newRing(Hour, (*failures).reset)}
	for i := range m.failures.slots {
		m.failures.slots[i].s = make(failures, codes*origins)
	}
	m.models.most, m.clients.most = maxModels, maxClients
	return m
}

// A Call is how one call ended.
type Call struct {
	Model, Client string // labels, from bounded sets
	Failed        bool   // or left by its caller
	Duration      time.Duration
	FirstByte     time.Duration // 0: there was none
}

// Ended counts a call that ended at now. Durations count where it succeeded: most
// failures are quick, and would make a slow model look fast.
func (m *Minutes) Ended(now time.Time, c *Call) {
	minute := minuteOf(now)
	for _, s := range [...]*series{m.models.of(c.Model), m.clients.of(c.Client)} {
		t := s.tallies.at(minute)
		t.calls.Add(1)
		if c.Failed {
			t.failed.Add(1)
			continue
		}
		times := s.times.at(minute / slowest)
		times.duration.add(c.Duration)
		if c.FirstByte > 0 {
			times.firstByte.add(c.FirstByte)
		}
	}
}

// Spent counts neurons that a call cost that ended at now.
func (m *Minutes) Spent(now time.Time, model, client string, neurons float64) {
	minute, n := minuteOf(now), int64(max(neurons, 0)*micro)
	m.models.of(model).tallies.at(minute).neurons.Add(n)
	m.clients.of(client).tallies.at(minute).neurons.Add(n)
}

const micro = 1e6

// A table is the series by name.
type table struct {
	most int
	mu   sync.Mutex
	all  atomic.Pointer[map[string]*series] // never changed, only replaced
}

// series is what is known of one model or client.
type series struct {
	tallies ring[tally]
	times   ring[times]
}

// tally is one minute of it.
type tally struct {
	calls, failed atomic.Uint32
	neurons       atomic.Int64 // millionths
}

func (t *tally) reset() {
	t.calls.Store(0)
	t.failed.Store(0)
	t.neurons.Store(0)
}

// times are how long its calls took in some minutes.
type times struct{ duration, firstByte histogram }

func (t *times) reset() {
	t.duration.reset()
	t.firstByte.reset()
}

// of returns the series of name, or that of all others where there is no room for
// another.
func (t *table) of(name string) *series {
	if all := t.all.Load(); all != nil {
		if s, ok := (*all)[name]; ok {
			return s
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]*series{}
	if now := t.all.Load(); now != nil {
		if len(*now) >= t.most {
			name = other
		}
		if s, ok := (*now)[name]; ok {
			return s
		}
		all = maps.Clone(*now)
	}
	s := &series{tallies: newRing(Hour, (*tally).reset), times: newRing(spans, (*times).reset)}
	all[name] = s
	t.all.Store(&all)
	return s
}

// A Standing is how a model or a client fared in the last hour.
type Standing struct {
	Calls, Failed                  int64 // calls that their callers left count as failed
	Neurons                        float64
	Median, Slow                   time.Duration // 50th and 99th percentile of the time to the last byte of calls that succeeded, 0: none did
	FirstByteMedian, FirstByteSlow time.Duration
}

// Models returns how each model fared that was called in the last hour, by name.
func (m *Minutes) Models(now time.Time) map[string]Standing { return m.models.standings(now) }

// Clients returns how each client fared that called in the last hour, by name.
func (m *Minutes) Clients(now time.Time) map[string]Standing { return m.clients.standings(now) }

func (t *table) standings(now time.Time) map[string]Standing {
	all := map[string]Standing{}
	if series := t.all.Load(); series != nil {
		for name, one := range *series {
			if s := one.standing(now); s.Calls > 0 || s.Neurons > 0 {
				all[name] = s
			}
		}
	}
	return all
}

func (s *series) standing(now time.Time) Standing {
	var (
		sum                 Standing
		neurons             int64
		duration, firstByte distribution
		newest              = minuteOf(now)
	)
	for minute := newest - Hour + 1; minute <= newest; minute++ {
		if t := s.tallies.of(minute); t != nil {
			sum.Calls += int64(t.calls.Load())
			sum.Failed += int64(t.failed.Load())
			neurons += t.neurons.Load()
		}
	}
	for span := newest/slowest - spans + 1; span <= newest/slowest; span++ {
		if t := s.times.of(span); t != nil {
			duration.add(&t.duration)
			firstByte.add(&t.firstByte)
		}
	}
	sum.Neurons = float64(neurons) / micro
	sum.Median, sum.Slow = duration.quantile(0.5), duration.quantile(0.99)
	sum.FirstByteMedian, sum.FirstByteSlow = firstByte.quantile(0.5), firstByte.quantile(0.99)
	return sum
}
