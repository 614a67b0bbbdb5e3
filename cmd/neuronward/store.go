package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

// Schemes of a storeURL.
const (
	storeFile   = "file"
	storeMemory = "memory"
)

// storeURL says where it is kept what was spent: file:PATH or memory:.
type storeURL string

func (s *storeURL) UnmarshalText(text []byte) error {
	scheme, rest, ok := strings.Cut(string(text), ":")
	switch {
	case ok && scheme == storeMemory && rest == "", ok && scheme == storeFile && rest != "":
		*s = storeURL(text)
		return nil
	case ok && (scheme == "redis" || scheme == "rediss") && strings.HasPrefix(rest, "//"):
		return errors.New("this version cannot share neurons through Redis yet; write file:PATH, or memory: alone")
	}
	return errors.New("is no store; write file:PATH, or memory: alone")
}

// kind is the part before the colon.
func (s storeURL) kind() string {
	kind, _, _ := strings.Cut(string(s), ":")
	return kind
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

// openStore opens what s names; o is for a file.
func openStore(ctx context.Context, s storeURL, o filestore.Options) (store quota.Store, closeStore func() error, err error) {
	if s.kind() == storeMemory {
		return quota.NewMemory(nil), func() error { return nil }, nil
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

// Exchange implements quota.Store.
func (s *watchedStore) Exchange(ctx context.Context, r quota.Report) (quota.State, error) {
	began := time.Now()
	state, err := s.Store.Exchange(ctx, r)
	s.took("exchange", began, err)
	if failing := err != nil; s.failing.CompareAndSwap(!failing, failing) {
		if failing {
			s.log.Error("the store fails", "policy", s.policy, "error", err)
		} else {
			s.log.Info("the store works again")
		}
	}
	if err == nil {
		s.plan.see(r, state, s.log)
	}
	return state, err
}

// History implements quota.Store.
func (s *watchedStore) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	began := time.Now()
	records, err := s.Store.History(ctx, from, to)
	s.took("history", began, err)
	return records, err
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
