package guard

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// Anonymous is the label of calls without a client. Anybody may ask after a batch of theirs.
const Anonymous = "anonymous"

// batches remembers the batches that were submitted: what they were charged, until the first poll that finds them done,
// and whose they are. The ledger keeps them over restarts and for other replicas; what is in memory saves asking it,
// and is all there is where nothing is counted or the store fails.
type batches struct {
	ledger *quota.Ledger // nil: there is none
	mu     sync.Mutex
	known  map[string]knownBatch
}

type knownBatch struct {
	quota.Batch
	own bool // it was submitted here
	at  time.Time
}

// maxBatches and batchAge bound that memory.
const (
	maxBatches = 10_000
	batchAge   = 48 * time.Hour
)

// add keeps a batch that was submitted at a time.
func (b *batches) add(batch quota.Batch, at time.Time) {
	if b.ledger != nil {
		batch, _ = b.ledger.KeepBatch(context.Background(), batch) // a failure is told; memory has the batch
	}
	b.remember(knownBatch{batch, true, at})
}

func (b *batches) remember(k knownBatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(k)
}

// put is remember with b.mu held.
func (b *batches) put(k knownBatch) {
	if b.known == nil {
		b.known = make(map[string]knownBatch)
	}
	if len(b.known) >= maxBatches {
		maps.DeleteFunc(b.known, func(_ string, old knownBatch) bool {
			return old.Settled || k.at.Sub(old.at) > batchAge
		})
	}
	if _, again := b.known[k.ID]; again || len(b.known) < maxBatches {
		b.known[k.ID] = k
	}
}

func (b *batches) recall(id string) (knownBatch, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.known[id]
	return k, ok
}

// settle returns a batch that is to be corrected: once, over all replicas. While the store fails there is none; the
// next poll asks again.
func (b *batches) settle(id string) (quota.Batch, bool) {
	k, known := b.recall(id)
	if k.Settled {
		return quota.Batch{}, false
	}
	if b.ledger != nil {
		kept, ok, err := b.ledger.Batch(context.Background(), id, true)
		if err != nil {
			return quota.Batch{}, false
		}
		if ok {
			k.Batch, known = kept, true
		} else {
			known = k.own // the store never had it, or has lost it
		}
	}
	return k.Batch, known && b.markSettled(k)
}

// markSettled reports whether the batch was not settled before.
func (b *batches) markSettled(k knownBatch) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !k.Settled && !b.known[k.ID].Settled
	k.Settled = true
	b.put(k)
	return first
}

// foreign reports whether the batch is known to be another client's.
func (b *batches) foreign(ctx context.Context, id, client string) bool {
	k, known := b.recall(id)
	if !known && b.ledger != nil {
		kept, ok, err := b.ledger.Batch(ctx, id, false)
		if known = ok && err == nil; known {
			k = knownBatch{Batch: kept, at: time.Now()}
			b.remember(k)
		}
	}
	return known && k.Client != Anonymous && k.Client != client
}
