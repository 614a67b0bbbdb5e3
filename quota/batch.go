package quota

import (
	"context"
	"errors"
)

// A Batch is one that was submitted to Workers AI: whose it is, and what it was charged until it is known what it cost.
type Batch struct {
	ID      string  `json:"-"`
	Day     Day     `json:"-"` // on which it was charged
	Model   string  `json:"model"`
	Client  string  `json:"client,omitempty"`
	Charged Neurons `json:"charged"`
	Replica Replica `json:"replica"` // that charged it
	Settled bool    `json:"settled,omitempty"`
}

const (
	// BatchDays is how many days of batches a store keeps: Workers AI has forgotten older ones.
	BatchDays = 3

	// MaxBatches bounds the batches of a day in a store.
	MaxBatches = 4096
)

// ErrTooManyBatches is returned by Store.PutBatch for one more than MaxBatches.
var ErrTooManyBatches = errors.New("quota: the store keeps no more batches of this day")

// KeepBatch keeps a batch that this replica has charged, for all replicas and over restarts, and returns what it keeps.
// Without a Day it was not charged, and is kept with today.
func (l *Ledger) KeepBatch(ctx context.Context, b Batch) (Batch, error) {
	day, replica := l.today()
	b.Replica = replica
	if b.Day == 0 {
		b.Day = day
	}
	return b, l.o.Store.PutBatch(ctx, b)
}

// Batch returns the batch with this id. settle says that it is settled now: of all who say so, one alone gets it as
// not Settled, and has to call CorrectBatch.
func (l *Ledger) Batch(ctx context.Context, id string, settle bool) (b Batch, ok bool, err error) {
	day, _ := l.today()
	return l.o.Store.Batch(ctx, day, id, settle)
}

// today returns the present day, and the name that this replica has on it.
func (l *Ledger) today() (Day, Replica) {
	l.lockAndRoll()
	defer l.mu.Unlock()
	return l.day, l.outbox.replica
}

// CorrectBatch books the true cost of a batch in place of what it was charged, as Correct does. Another replica, or a
// process before this one, may have charged it. c says whose budgets are to be corrected.
func (l *Ledger) CorrectBatch(c Call, b Batch, actual Cost) {
	_, replica := l.today()
	l.correct(c, b.Day, b.Charged, actual, b.Replica != replica)
}
