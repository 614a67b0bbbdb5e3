package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// openStore opens what s names for account; o is for a file.
func openStore(ctx context.Context, s config.StoreURL, account config.AccountID, log *slog.Logger, o filestore.Options) (store quota.Store, closeStore func() error, err error) {
	switch s.Kind() {
	case config.StoreMemory:
		return quota.NewMemory(nil), func() error { return nil }, nil
	case config.StoreRedis:
		shared, warnings, err := openRedis(ctx, s, account)
		if err != nil {
			return nil, nil, fmt.Errorf("NEURONWARD_STORE: %w", err)
		}
		for _, w := range warnings {
			log.Warn("the store may fail or forget", "store", s.String(), "warning", w)
		}
		return shared, shared.Close, nil
	}
	file, err := filestore.Open(ctx, s.Path(), o)
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			hint = "; write file:PATH with a path that this user can write, or memory: alone to forget at the end what was spent"
		}
		return nil, nil, fmt.Errorf("NEURONWARD_STORE: %w%s", err, hint)
	}
	return file, file.Close, nil
}

// openRedis opens a store in a server. It fails if that can never keep neurons as it is. One that does not answer is only
// warned of: it may come back, and until then calls meet NEURONWARD_ON_STORE_FAILURE.
func openRedis(ctx context.Context, s config.StoreURL, account config.AccountID) (store *redisstore.Store, warnings []string, err error) {
	address, err := redisstore.Parse(string(s))
	if err != nil {
		return nil, nil, err
	}
	store = redisstore.Open(address, string(account), redisstore.Options{})
	warnings, err = store.Inspect(ctx)
	switch {
	case errors.Is(err, redisstore.ErrUnfit):
		return nil, nil, errors.Join(err, store.Close())
	case err != nil:
		warnings = append(warnings, "it does not answer: "+err.Error())
	}
	return store, warnings, nil
}

// A watchedStore counts and times the steps of a store, tells when it begins to fail and when it no longer does, and when more
// was spent than the plan allows.
type watchedStore struct {
	quota.Store
	metrics *metrics.Metrics
	log     *slog.Logger
	policy  string // what becomes of calls that need it while it fails: deny, allow
	failing atomic.Bool
	plan    planWatch
}

// Sync implements quota.Store.
func (s *watchedStore) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	began := time.Now()
	// A disk that stands still does not return, and what it answers later comes too late.
	inTime := context.AfterFunc(ctx, func() {
		s.metrics.StoreFailed(s.policy)
		s.tell(fmt.Errorf("no answer in time: %w", context.Cause(ctx)))
	})
	state, err := s.Store.Sync(ctx, r)
	if !inTime() {
		s.metrics.StoreTook("exchange", time.Since(began))
		return state, err
	}
	s.took("exchange", began, err)
	s.tell(err)
	if err == nil {
		s.plan.see(r, state, s.log)
	}
	return state, err
}

// tell logs that the store begins to fail, or no longer does.
func (s *watchedStore) tell(err error) {
	failing := err != nil
	if !s.failing.CompareAndSwap(!failing, failing) {
		return
	}
	if failing {
		s.log.Error("the store fails", "policy", s.policy, "error", err)
	} else {
		s.log.Info("the store works again")
	}
}

// History implements quota.Store.
func (s *watchedStore) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	began := time.Now()
	records, err := s.Store.History(ctx, from, to)
	s.took("history", began, err)
	return records, err
}

// Hours implements quota.Store.
func (s *watchedStore) Hours(ctx context.Context, day quota.Day) (quota.Hours, error) {
	began := time.Now()
	hours, err := s.Store.Hours(ctx, day)
	s.took("history", began, err)
	return hours, err
}

// Lease implements quota.Store.
func (s *watchedStore) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	began := time.Now()
	ours, err := s.Store.Lease(ctx, name, ttl)
	s.took("lease", began, err)
	return ours, err
}

func (s *watchedStore) took(op string, began time.Time, err error) {
	s.metrics.StoreTook(op, time.Since(began))
	if err != nil && !errors.Is(err, context.Canceled) { // whoever asked has left
		s.metrics.StoreFailed(s.policy)
	}
}
