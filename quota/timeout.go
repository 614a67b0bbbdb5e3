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
	StoreHistory StoreOp = "history" // Hours as well
	StoreLease   StoreOp = "lease"
)

// A StoreEvent is the end of one operation of a ledger's store. An operation that takes longer than Options.StoreTimeout has two:
// one that is Pending when its time is over, and one that is Late when it returns.
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

// timeoutStore limits the time of each operation of a store, and reports its end. A write to a disk that does not answer ignores
// its context: such an operation is left behind, and no other of its kind begins before it has returned. Its late result is
// dropped, which is the same as an answer that was lost: the next report has a higher number and absolute figures, so it replaces
// the late one whether that was stored or not.
type timeoutStore struct {
	Store
	limit    time.Duration
	onEvent  func(StoreEvent)          // nil: nobody listens
	underWay map[StoreOp]chan struct{} // full while an operation of the kind runs
}

// hoursOp keeps an operation of its own for Hours, which is reported as history.
const hoursOp StoreOp = "hours"

func newTimeoutStore(s Store, limit time.Duration, onEvent func(StoreEvent)) *timeoutStore {
	t := &timeoutStore{Store: s, limit: limit, onEvent: onEvent, underWay: map[StoreOp]chan struct{}{}}
	for _, op := range []StoreOp{StoreSync, StoreHistory, hoursOp, StoreLease} {
		t.underWay[op] = make(chan struct{}, 1)
	}
	return t
}

// Sync implements Store.
func (t *timeoutStore) Sync(ctx context.Context, r Report) (Reply, error) {
	return limitTime(ctx, t, StoreSync, func(ctx context.Context, e *StoreEvent) (Reply, error) {
		reply, err := t.Store.Sync(ctx, r)
		if err == nil && len(reply.Balances) > 0 {
			e.Day, e.Account = r.Day, reply.Balances[0]
		}
		return reply, err
	})
}

// History implements Store.
func (t *timeoutStore) History(ctx context.Context, from, to Day) ([]Record, error) {
	return limitTime(ctx, t, StoreHistory, func(ctx context.Context, _ *StoreEvent) ([]Record, error) {
		return t.Store.History(ctx, from, to)
	})
}

// Hours implements Store.
func (t *timeoutStore) Hours(ctx context.Context, day Day) (Hours, error) {
	return limitTime(ctx, t, hoursOp, func(ctx context.Context, e *StoreEvent) (Hours, error) {
		e.Op = StoreHistory
		return t.Store.Hours(ctx, day)
	})
}

// Lease implements Store.
func (t *timeoutStore) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	return limitTime(ctx, t, StoreLease, func(ctx context.Context, _ *StoreEvent) (bool, error) {
		return t.Store.Lease(ctx, name, ttl)
	})
}

type result[T any] struct {
	value T
	err   error
}

// limitTime runs do as soon as no other operation of its kind runs, and waits for each of the two for t.limit at most. do does not
// see that ctx has ended, only that its time is over: a caller who leaves is no failure of the store.
func limitTime[T any](
	ctx context.Context, t *timeoutStore, op StoreOp, do func(context.Context, *StoreEvent) (T, error),
) (none T, err error) {
	turn := time.NewTimer(t.limit)
	defer turn.Stop()
	select {
	case t.underWay[op] <- struct{}{}:
	case <-turn.C:
		return none, fmt.Errorf("it stands still: the step before has not ended: %w", context.DeadlineExceeded)
	case <-ctx.Done():
		return none, ctx.Err()
	}
	results := make(chan result[T], 1)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.limit)
	go func() {
		defer cancel()
		value, err := observe(limited, t, op, do)
		<-t.underWay[op]
		results <- result[T]{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-limited.Done():
	case <-ctx.Done():
	}
	select {
	case r := <-results: // select takes any of the cases that are ready
		return r.value, r.err
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	return none, t.noAnswer()
}

func (t *timeoutStore) noAnswer() error {
	return fmt.Errorf("it stands still: no answer within %v: %w", t.limit, context.DeadlineExceeded)
}

// observe runs do and reports its end, and before that that its time is over. limited ends with that time.
func observe[T any](
	limited context.Context, t *timeoutStore, op StoreOp, do func(context.Context, *StoreEvent) (T, error),
) (T, error) {
	if t.onEvent == nil {
		return do(limited, &StoreEvent{})
	}
	began := time.Now()
	inTime := context.AfterFunc(limited, func() {
		t.onEvent(StoreEvent{Op: op, Took: t.limit, Err: t.noAnswer(), Pending: true})
	})
	e := StoreEvent{Op: op}
	value, err := do(limited, &e)
	e.Took, e.Err, e.Late = time.Since(began), err, !inTime()
	t.onEvent(e)
	return value, err
}
