package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
	"github.com/neuronward/neuronward/quota/redisstore"
)

// Kinds of a storeURL. Those of a file and of memory are their schemes as well.
const (
	storeFile   = "file"
	storeMemory = "memory"
	storeRedis  = "redis"
)

// storeURL says where it is kept what was spent: file:PATH, memory: or the address of a Redis server, with its password.
type storeURL string

func (s *storeURL) UnmarshalText(text []byte) error {
	scheme, rest, ok := strings.Cut(string(text), ":")
	switch {
	case ok && scheme == storeMemory && rest == "", ok && scheme == storeFile && rest != "":
		*s = storeURL(text)
		return nil
	case ok && slices.Contains(redisstore.Schemes[:], scheme):
		_, err := redisstore.Parse(string(text))
		if err == nil {
			*s = storeURL(text)
		}
		return err
	}
	return errors.New("is no store; write file:PATH, redis://HOST:6379/0 (rediss:// for TLS), or memory: alone")
}

// kind is what it is kept in: file, memory, redis; "" if nothing is kept.
func (s storeURL) kind() string {
	scheme, _, _ := strings.Cut(string(s), ":")
	if slices.Contains(redisstore.Schemes[:], scheme) {
		return storeRedis
	}
	return scheme
}

// String is s without a password.
func (s storeURL) String() string {
	if s.kind() != storeRedis {
		return string(s)
	}
	address, err := redisstore.Parse(string(s))
	if err != nil {
		return storeRedis
	}
	return address.String()
}

// path is where the file is, "" for another kind.
func (s storeURL) path() string {
	path, ok := strings.CutPrefix(string(s), storeFile+":")
	if !ok {
		return ""
	}
	return path
}

// defaultStore is a file for this account in the first of dirs that can be used. One that holds the file already is taken as
// it is, or what was spent would be forgotten as soon as it cannot be written.
func defaultStore(dirs []string, account accountID) (storeURL, error) {
	var tried []string
	for _, dir := range dirs {
		path := filepath.Join(dir, "neurons-"+string(account))
		_, missing := os.Lstat(path)
		if missing == nil {
			return storeURL(storeFile + ":" + path), nil
		}
		err := usable(dir)
		if err == nil {
			return storeURL(storeFile + ":" + path), nil
		}
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		tried = append(tried, fmt.Sprintf("%s (%v)", dir, err))
	}
	return "", errors.New("no state directory can be used: " + strings.Join(tried, ", ") +
		"; write file:PATH with a path that this user can write, or memory: alone to forget at the end what was spent")
}

// stateDirectories are where the file may be, best first. A relative path is ignored, as the XDG base directory
// specification asks.
func stateDirectories(environ map[string]string) []string {
	var dirs []string
	if state := environ["XDG_STATE_HOME"]; filepath.IsAbs(state) {
		dirs = append(dirs, filepath.Join(state, program))
	}
	if home := environ["HOME"]; filepath.IsAbs(home) {
		dirs = append(dirs, filepath.Join(home, ".local", "state", program))
	}
	return append(dirs, filepath.Join("/var/lib", program))
}

const program = "neuronward"

// usable returns nil if files can be made in dir, or if dir can be made. It leaves nothing behind.
func usable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return syscall.ENOTDIR
		}
		probe, err := os.MkdirTemp(dir, "."+program+"-probe-")
		if err != nil {
			return err
		}
		return os.Remove(probe)
	}
}

// openStore opens what s names for account; o is for a file.
func openStore(ctx context.Context, s storeURL, account accountID, log *slog.Logger, o filestore.Options) (store quota.Store, closeStore func() error, err error) {
	switch s.kind() {
	case storeMemory:
		return quota.NewMemory(nil), func() error { return nil }, nil
	case storeRedis:
		shared, warnings, err := openRedis(ctx, s, account)
		if err != nil {
			return nil, nil, fmt.Errorf("NEURONWARD_STORE: %w", err)
		}
		for _, w := range warnings {
			log.Warn("the store may fail or forget", "store", s.String(), "warning", w)
		}
		return shared, shared.Close, nil
	}
	file, err := filestore.Open(ctx, s.path(), o)
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
func openRedis(ctx context.Context, s storeURL, account accountID) (store *redisstore.Store, warnings []string, err error) {
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
