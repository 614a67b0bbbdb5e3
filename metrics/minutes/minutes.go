package minutes

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// Hour is for how many minutes calls and failures are kept, the present one included.
const Hour = 60

// Bounds of what is kept. Labels are bounded where they are made; memory must not depend on that.
const (
	maxModels  = 512
	maxClients = 128

	spanMinutes = 5  // minutes that share a histogram of durations
	spans       = 13 // histograms kept: 60 to 65 minutes
)

// other is the name that counts models and clients beyond the bounds.
const other = "other"

// Minutes is what one process knows of its last minutes. It takes 172 KiB, and 11 KiB more for each model and for each
// client that has called, 7 MiB at most. It is safe for concurrent use.
type Minutes struct {
	samples  samples
	failures ring[failures]
	models   table
	clients  table

	wouldRefuse wouldRefuse
}

// New returns empty Minutes.
func New() *Minutes {
	codes := len(normalize.Catalog())
	m := &Minutes{failures: newRing(Hour, (*failures).reset)}
	for i := range m.failures.slots {
		m.failures.slots[i].s = make(failures, codes*kinds)
	}
	m.models.max, m.clients.max = maxModels, maxClients
	return m
}

// A Call is how one call ended.
type Call struct {
	Model, Client string // labels, from bounded sets
	Failed        bool   // or left by its caller
	Duration      time.Duration
	FirstByte     time.Duration // 0: there was none
}

// Ended counts a call that ended at now. Only durations of calls that succeeded count: most failures are quick and
// would make a slow model look fast.
func (m *Minutes) Ended(now time.Time, c *Call) {
	minute := minuteOf(now)
	for _, s := range [...]*series{m.models.of(c.Model), m.clients.of(c.Client)} {
		t := s.tallies.at(minute)
		t.calls.Add(1)
		if c.Failed {
			t.failed.Add(1)
			continue
		}
		times := s.times.at(minute / spanMinutes)
		times.duration.add(c.Duration)
		if c.FirstByte > 0 {
			times.firstByte.add(c.FirstByte)
		}
	}
}

// Spent counts neurons of a call that ended at now.
func (m *Minutes) Spent(now time.Time, model, client string, neurons float64) {
	minute, n := minuteOf(now), int64(neurons*micro)
	m.models.of(model).tallies.at(minute).neurons.Add(n)
	m.clients.of(client).tallies.at(minute).neurons.Add(n)
}

const micro = 1e6

// A table holds the series by name. Readers load the map without the lock; adding a name, under the lock, replaces the
// map.
type table struct {
	max int
	mu  sync.Mutex
	all atomic.Pointer[map[string]*series]
}

// series are the counts of one model or client.
type series struct {
	tallies ring[tally]
	times   ring[times]
}

// tally is one minute of a series.
type tally struct {
	calls, failed atomic.Uint32
	neurons       atomic.Int64 // millionths
}

func (t *tally) reset() {
	t.calls.Store(0)
	t.failed.Store(0)
	t.neurons.Store(0)
}

// times are how long the calls of a series took, in one span of minutes.
type times struct{ duration, firstByte histogram }

func (t *times) reset() {
	t.duration.reset()
	t.firstByte.reset()
}

// of returns the series of name, or that of all others once the table is full.
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
		if len(*now) >= t.max {
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

// LastHour sums up the calls of a model or a client in the last hour. Percentiles are of calls that succeeded; 0: none
// did.
type LastHour struct {
	Calls        int64
	Failed       int64 // calls that their callers left included
	Neurons      float64
	P50, P99     time.Duration // time to the last byte
	FirstByteP50 time.Duration
	FirstByteP99 time.Duration
}

// Models returns the models that were called in the last hour, by name.
func (m *Minutes) Models(now time.Time) map[string]LastHour { return m.models.lastHour(now) }

// Clients returns the clients that called in the last hour, by name.
func (m *Minutes) Clients(now time.Time) map[string]LastHour { return m.clients.lastHour(now) }

func (t *table) lastHour(now time.Time) map[string]LastHour {
	all := map[string]LastHour{}
	if series := t.all.Load(); series != nil {
		for name, one := range *series {
			if s := one.lastHour(now); s.Calls > 0 || s.Neurons > 0 {
				all[name] = s
			}
		}
	}
	return all
}

func (s *series) lastHour(now time.Time) LastHour {
	var (
		sum                 LastHour
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
	for span := newest/spanMinutes - spans + 1; span <= newest/spanMinutes; span++ {
		if t := s.times.of(span); t != nil {
			duration.add(&t.duration)
			firstByte.add(&t.firstByte)
		}
	}
	sum.Neurons = float64(neurons) / micro
	sum.P50, sum.P99 = duration.quantile(0.5), duration.quantile(0.99)
	sum.FirstByteP50, sum.FirstByteP99 = firstByte.quantile(0.5), firstByte.quantile(0.99)
	return sum
}
