package proxy

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/neuronward/neuronward/metrics"
)

// maxKnown bounds the models that are labels, over all price tables in the life of a process.
const maxKnown = 500

// knownModels are the models that may be labels. None is ever removed: a series that exists stays. Reading takes no
// lock.
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

// label returns the model as the label of a series, and metrics.Other where it is not known: callers may name anything.
func (k *knownModels) label(model string) string {
	if k.has(model) {
		return model
	}
	return metrics.Other
}
