package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// openStore opens the store that s names, for account; o is for a file.
func openStore(
	ctx context.Context, s config.Store, account string, watch *storeWatch, o filestore.Options,
) (store quota.Store, closeStore func() error, err error) {
	log := watch.log
	switch s.Kind {
	case config.StoreMemory:
		return memstore.New(nil), func() error { return nil }, nil
	case config.StoreRedis:
		shared, warnings, err := openRedis(ctx, s, account, watch)
		if err != nil {
			return nil, nil, fmt.Errorf("NEURONWARD_STORE: %w", err)
		}
		for _, w := range warnings {
			log.Warn("the store may fail or forget", "store", s.String(), "warning", w)
		}
		return shared, shared.Close, nil
	case config.StoreFile:
		file, err := filestore.Open(ctx, s.Path, o)
		if err != nil {
			hint := ""
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
				hint = "; write file:PATH with a path that this user can write, " +
					"or memory: alone to forget usage at the end"
			}
			return nil, nil, fmt.Errorf("NEURONWARD_STORE: %w%s", err, hint)
		}
		if w := openDirectory(s.Path); w != "" {
			log.Warn("the store may fail or forget", "store", s.String(), "warning", w)
		}
		return file, file.Close, nil
	default:
		return nil, nil, fmt.Errorf("NEURONWARD_STORE: there is no store of the kind %q", s.Kind)
	}
}

// openDirectory returns a warning if anybody may replace the file at path; "" if not.
func openDirectory(path string) string {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir) //nolint:gosec // the operator names it
	if err != nil || info.Mode().Perm()&0o002 == 0 || info.Mode()&fs.ModeSticky != 0 {
		return ""
	}
	return dir + " can be written by everybody, who can replace what is counted; chmod o-w it"
}

// openRedis opens a store in a Redis server. It fails if the server can never store usage as it is set up. That it does
// not answer is a warning only: it may come back, and until then NEURONWARD_ON_STORE_FAILURE says what happens to
// calls.
func openRedis(
	ctx context.Context, s config.Store, account string, watch *storeWatch,
) (store *redisstore.Store, warnings []string, err error) {
	store = redisstore.Open(s.Redis, account, redisstore.Options{
		Password: s.Password, OnCopy: watch.copied, OnDistance: watch.moved,
		OnDoubt: func(key, value string) {
			watch.log.Warn("a value in Redis is damaged or was not made by this program: it is not counted, the day "+
				"goes on with what is known otherwise; find out who else writes there",
				"store", s.String(), "key", key, "value", value)
		},
	})
	warnings, err = store.Inspect(ctx)
	switch {
	case errors.Is(err, redisstore.ErrUnusable):
		return nil, nil, errors.Join(err, store.Close())
	case err != nil:
		warnings = append(warnings, "it does not answer: "+err.Error())
	}
	return store, warnings, nil
}

// A storeWatch counts and times the operations of a store, and logs when it begins to fail, when it works again, and
// when more was spent than the plan allows.
type storeWatch struct {
	metrics *metrics.Metrics
	log     *slog.Logger
	policy  string // for calls that need the store while it fails: deny, allow
	failing atomic.Bool
	batches atomic.Bool // whether batches could not be kept last
	late    atomic.Bool // whether the last answer was late, which alone is no failure
	plan    planWatch

	uncopied atomic.Int64 // grants that no replica of the server had in time
	copyLate atomic.Bool  // whether the last one is among them
}

// copied is a redisstore.Options.OnCopy.
func (w *storeWatch) copied(err error) {
	if err != nil {
		w.uncopied.Add(1)
		w.metrics.StoreUncopied()
	}
	if late := err != nil; !w.copyLate.CompareAndSwap(!late, late) {
		return
	}
	if err != nil {
		w.log.Warn("the store's replica is late: a failover now forgets the last grants until the proxies report "+
			"again, and for good what those spent that end before", "error", err)
	} else {
		w.log.Info("the store's replica is in time again")
	}
}

// moved is a redisstore.Options.OnDistance.
func (w *storeWatch) moved(trip time.Duration, far bool) {
	took := trip.Round(time.Millisecond).String()
	if far {
		w.log.Warn("the store is far away, and calls wait for it now and then: name a server nearby",
			"round_trip", took)
	} else {
		w.log.Info("the store is near again", "round_trip", took)
	}
}

// unwatched returns one for a store that is opened for a moment.
func unwatched() *storeWatch { return &storeWatch{log: slog.New(slog.DiscardHandler)} }

// onEvent is a quota.Options.OnStoreEvent.
func (w *storeWatch) onEvent(e quota.StoreEvent) {
	if !e.Pending {
		op := string(e.Op)
		if e.Op == quota.StoreSync {
			op = "exchange" // as the series has always called it
		}
		w.metrics.StoreTook(op, e.Took)
	}
	if e.Late {
		return
	}
	if e.Err != nil && !errors.Is(e.Err, context.Canceled) { // the caller has left
		w.metrics.StoreFailed(w.policy)
	}
	if e.Op == quota.StoreBatch {
		w.reportBatches(e.Err)
	}
	if e.Op != quota.StoreSync {
		return
	}
	w.report(e.Err)
	if e.Err == nil {
		w.plan.check(e.Day, e.Account.Spent, w.log)
	}
}

// report logs that the store begins to fail, or works again.
func (w *storeWatch) report(err error) {
	late := errors.Is(err, quota.ErrLate)
	if wasLate := w.late.Swap(late); late && !wasLate && !w.failing.Load() {
		return // the ledger asks again before it takes that for a failure
	}
	failing := err != nil
	if !w.failing.CompareAndSwap(!failing, failing) {
		return
	}
	if failing {
		w.log.Error("the store fails", "policy", w.policy, "error", err)
	} else {
		w.log.Info("the store works again")
	}
}

// reportBatches logs that batches begin not to be found or kept, or are again.
func (w *storeWatch) reportBatches(err error) {
	failing := err != nil
	if !w.batches.CompareAndSwap(!failing, failing) {
		return
	}
	if failing {
		w.log.Warn("the store fails for batches: one in flight is known to this process alone, and may stay at what "+
			"it was charged", "error", err)
	} else {
		w.log.Info("the store keeps batches again")
	}
}
