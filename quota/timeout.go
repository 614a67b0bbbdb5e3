package quota

import (
	"context"
	"fmt"
	"time"
)

// A StoreOp names a kind of store operation.
type StoreOp string

// The operations that a StoreEvent tells of.
const (
	StoreSync    StoreOp = "sync"
	StoreHistory StoreOp = "history" // Hours and Committed as well
	StoreLease   StoreOp = "lease"
	StoreBatch   StoreOp = "batch"
)

// A StoreEvent is the end of one operation of a ledger's store. An operation that takes longer than
// Options.StoreTimeout has two: one that is Pending when its time is over, and one that is Late when it returns.
type StoreEvent struct {
	Op      StoreOp
	Took    time.Duration
	Err     error
	Pending bool // it has not returned yet; Err says so
	Late    bool // its result came too late, and was dropped

	// Of a sync that worked: the day and the account's budget over all replicas.
	Day     Day
	Account Balance
}

// timeoutStore limits the time of each operation of a store, and reports its end. A write to a disk that does not
// answer ignores its context: such an operation is left behind, and no other of its kind begins before it has returned.
// Its late result is dropped, which is the same as an answer that was lost: the next report has a higher number and
// absolute figures, so it replaces the late one whether that was stored or not.
type timeoutStore struct {
	Store
	limit   time.Duration
	onEvent func(StoreEvent)

	syncs, histories, months, hours, leases, batches chan struct{} // full while such an operation runs
}

func newTimeoutStore(s Store, limit time.Duration, onEvent func(StoreEvent)) *timeoutStore {
	one := func() chan struct{} { return make(chan struct{}, 1) }
	return &timeoutStore{s, limit, onEvent, one(), one(), one(), one(), one(), one()}
}

func (t *timeoutStore) Sync(ctx context.Context, r Report) (Reply, error) {
	return limitTime(ctx, t, t.syncs, StoreSync, func(ctx context.Context, e *StoreEvent) (Reply, error) {
		reply, err := t.Store.Sync(ctx, r)
		if err == nil && len(reply.Balances) > 0 {
			e.Day, e.Account = r.Day, reply.Balances[0]
		}
		return reply, err
	})
}

func (t *timeoutStore) History(ctx context.Context, from, to Day) ([]Record, error) {
	return limitTime(ctx, t, t.histories, StoreHistory, func(ctx context.Context, _ *StoreEvent) ([]Record, error) {
		return t.Store.History(ctx, from, to)
	})
}

func (t *timeoutStore) Committed(ctx context.Context, from, to Day) (ByDay, error) {
	return limitTime(ctx, t, t.months, StoreHistory, func(ctx context.Context, _ *StoreEvent) (ByDay, error) {
		return t.Store.Committed(ctx, from, to)
	})
}

func (t *timeoutStore) Hours(ctx context.Context, day Day) (Hours, error) {
	return limitTime(ctx, t, t.hours, StoreHistory, func(ctx context.Context, _ *StoreEvent) (Hours, error) {
		return t.Store.Hours(ctx, day)
	})
}

func (t *timeoutStore) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return limitTime(ctx, t, t.leases, StoreLease, func(ctx context.Context, _ *StoreEvent) (bool, error) {
		return t.Store.Lease(ctx, name, ttl)
	})
}

func (t *timeoutStore) PutBatch(ctx context.Context, b Batch) error {
	_, err := limitTime(ctx, t, t.batches, StoreBatch, func(ctx context.Context, _ *StoreEvent) (struct{}, error) {
		return struct{}{}, t.Store.PutBatch(ctx, b)
	})
	return err
}

func (t *timeoutStore) Batch(ctx context.Context, today Day, id string, settle bool) (b Batch, ok bool, err error) {
	b, err = limitTime(ctx, t, t.batches, StoreBatch, func(ctx context.Context, _ *StoreEvent) (b Batch, err error) {
		b, ok, err = t.Store.Batch(ctx, today, id, settle)
		return b, err
	})
	return b, ok, err
}

// limitTime runs do as soon as it is alone in busy, and waits for each of the two for t.limit at most. do does not see
// that ctx has ended, only that its time is over: a caller who leaves is no failure of the store.
func limitTime[T any](
	ctx context.Context, t *timeoutStore, busy chan struct{}, op StoreOp,
	do func(context.Context, *StoreEvent) (T, error),
) (none T, err error) {
	alone := time.NewTimer(t.limit)
	defer alone.Stop()
	select {
	case busy <- struct{}{}:
	case <-alone.C:
		return none, fmt.Errorf("it stands still: the step before has not ended: %w", context.DeadlineExceeded)
	case <-ctx.Done():
		return none, ctx.Err()
	}
	var value T // with failure, what do returns; both are read once returned is closed
	var failure error
	returned := make(chan struct{})
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.limit)
	noAnswer := fmt.Errorf("it stands still: no answer within %v: %w", t.limit, context.DeadlineExceeded)
	go func() {
		defer cancel()
		e, began := StoreEvent{Op: op}, time.Now()
		inTime := context.AfterFunc(limited, func() {
			t.onEvent(StoreEvent{Op: op, Took: t.limit, Err: noAnswer, Pending: true})
		})
		value, failure = do(limited, &e)
		e.Took, e.Err, e.Late = time.Since(began), failure, !inTime()
		t.onEvent(e)
		<-busy
		close(returned)
	}()
	select {
	case <-returned:
		return value, failure
	case <-limited.Done():
	case <-ctx.Done():
	}
	select {
	case <-returned: // select takes any of the cases that are ready
		return value, failure
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	return none, noAnswer
}
