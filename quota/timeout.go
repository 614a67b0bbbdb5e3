package quota

import (
	"context"
	"time"

	"github.com/neuronward/neuronward/quota/single"
)

// A StoreOp names a kind of store operation.
type StoreOp string

// The operations that a StoreEvent tells of.
const (
	StoreSync    StoreOp = "sync"
	StoreHistory StoreOp = "history" // those of Archive as well
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
// answer ignores its context. Its late result is dropped, which is the same as an answer that was lost: the next report
// has a higher number and absolute figures, so it replaces the late one whether that was stored or not.
type timeoutStore struct {
	Store
	limit   time.Duration
	onEvent func(StoreEvent)

	syncs, histories, months, hours, prices, leases, batches single.Lane
}

func newTimeoutStore(s Store, limit time.Duration, onEvent func(StoreEvent)) *timeoutStore {
	one := single.NewLane
	return &timeoutStore{s, limit, onEvent, one(), one(), one(), one(), one(), one(), one()}
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

func (t *timeoutStore) Prices(ctx context.Context, day Day, p DayPrice) (map[Day]DayPrice, error) {
	return limitTime(ctx, t, t.prices, StoreHistory,
		func(ctx context.Context, _ *StoreEvent) (map[Day]DayPrice, error) { return t.Store.Prices(ctx, day, p) })
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

// limitTime is single.Do with the events of a store.
func limitTime[T any](
	ctx context.Context, t *timeoutStore, lane single.Lane, op StoreOp,
	do func(context.Context, *StoreEvent) (T, error),
) (T, error) {
	e := StoreEvent{Op: op}
	return single.Do(ctx, lane, t.limit, single.Operation[T]{
		Do: func(ctx context.Context) (T, error) { return do(ctx, &e) },
		Pending: func(err error) {
			t.onEvent(StoreEvent{Op: op, Took: t.limit, Err: err, Pending: true})
		},
		Ended: func(took time.Duration, err error, late bool) {
			e.Took, e.Err, e.Late = took, err, late
			t.onEvent(e)
		},
	})
}
