package proxy

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/neuronward/neuronward/metrics"
)

// maxKnown bounds the models that are labels, over all tables that a process
// sees in its life.
const maxKnown = 500

// knownModels are the models that may be labels. They grow and never shrink: a
// series that exists stays. Reading takes no lock.
type knownModels struct {
	mu  sync.Mutex
	all atomic.Pointer[map[string]struct{}]
}

// add makes names known, in their order, while there is room.
func (k *knownModels) add(names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]struct{}{}
	if now := k.all.Load(); now != nil {
		all = maps.Clone(*now)
	}
	for _, name := range names {
		if len(all) >= maxKnown {
			break
		}
		all[name] = struct{}{}
	}
	k.all.Store(&all)
}

// has reports whether model is known.
func (k *knownModels) has(model string) bool {
	_, ok := (*k.all.Load())[model]
	return ok
}

// label keeps the label of a series to models that are known: callers name
// anything.
func (k *knownModels) label(model string) string {
	if k.has(model) {
		return model
	}
	return metrics.Other
}
