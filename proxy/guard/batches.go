package guard

import (
	"maps"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// batches remembers the batches that were submitted through this proxy: what
// they were charged, until the first poll that finds them done, and whose they
// are.
type batches struct {
	mu   sync.Mutex
	open map[string]submitted
}

type submitted struct {
	call    quota.Call
	day     quota.Day
	charged quota.Neurons
	at      time.Time
	done    bool // its charge was corrected
}

// maxBatches and batchAge bound that memory.
const (
	maxBatches = 10_000
	batchAge   = 48 * time.Hour
)

func (b *batches) add(id string, s submitted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[string]submitted)
	}
	if len(b.open) >= maxBatches {
		maps.DeleteFunc(b.open, func(_ string, old submitted) bool { return old.done || s.at.Sub(old.at) > batchAge })
	}
	if len(b.open) < maxBatches {
		b.open[id] = s
	}
}

// take returns a batch once.
func (b *batches) take(id string) (submitted, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.open[id]
	if !ok || s.done {
		return submitted{}, false
	}
	was := s
	s.done = true
	b.open[id] = s
	return was, true
}

// foreign reports whether the batch is known to be another client's.
func (b *batches) foreign(id, client string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.open[id]
	return ok && s.call.Client != client
}
