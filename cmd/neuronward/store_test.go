package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

func TestStateDirectories(t *testing.T) {
	cases := []struct {
		name    string
		environ map[string]string
		want    []string
	}{
		{"nothing set", nil, []string{"/var/lib/neuronward"}},
		{"home", map[string]string{"HOME": "/home/a"}, []string{"/home/a/.local/state/neuronward", "/var/lib/neuronward"}},
		{"both", map[string]string{"HOME": "/home/a", "XDG_STATE_HOME": "/state"}, []string{"/state/neuronward", "/home/a/.local/state/neuronward", "/var/lib/neuronward"}},
		{"relative ones", map[string]string{"HOME": "a", "XDG_STATE_HOME": "state"}, []string{"/var/lib/neuronward"}},
	}
	for _, c := range cases {
		if got := stateDirectories(c.environ); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDefaultStore(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "file")
	empty := filepath.Join(root, "empty")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(empty, 0o700)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(root, "a", "b")
	if got, err := defaultStore([]string{file, missing, empty}, "x"); err != nil || got.path() != filepath.Join(missing, "neurons-x") {
		t.Errorf("the store is %q, %v; want the first directory that can be made", got, err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 2 {
		t.Errorf("looking left something behind: %v, %v", entries, err)
	}
	got, err := defaultStore([]string{file, filepath.Join(file, "below")}, "x")
	if err == nil {
		t.Fatalf("the store is %q, though no directory can be used", got)
	}
	for _, want := range []string{"no state directory can be used", file + " (not a directory)", "write file:PATH", "memory: alone"} {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	// A directory that holds the file stays the one, even where nothing can be written: to go on elsewhere would forget the day.
	kept := filepath.Join(empty, "neurons-x")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(empty, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(empty, 0o700); err != nil { // so that it can be removed
			t.Error(err)
		}
	})
	if got, err := defaultStore([]string{empty, missing}, "x"); err != nil || got.path() != kept {
		t.Errorf("the store is %q, %v; want %s", got, err, kept)
	}
	if got, err := defaultStore([]string{empty, missing}, "other"); err == nil && got.path() == kept {
		t.Errorf("two accounts share %q", got)
	}
}

func TestAStoreThatCannotBeWritten(t *testing.T) {
	_, err := opened(t, "file:/sys/neuronward/neurons")
	if err == nil || !strings.HasPrefix(err.Error(), "NEURONWARD_STORE: ") || !strings.HasSuffix(err.Error(), "; write file:PATH with a path that this user can write, or memory: alone to forget at the end what was spent") {
		t.Errorf("opening a store in a directory that nobody can write: %v", err)
	}
}

func TestAStoreThatAnotherProcessHas(t *testing.T) {
	at := storeURL("file:" + filepath.Join(t.TempDir(), "neurons"))
	if _, err := opened(t, at); err != nil {
		t.Fatal(err)
	}
	_, err := opened(t, at)
	if want := fmt.Sprintf("NEURONWARD_STORE: filestore: another process (%d) has %s open: stop it, or give this one a file of its own", os.Getpid(), at.path()); err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

func opened(t *testing.T, at storeURL) (quota.Store, error) {
	t.Helper()
	store, closeStore, err := openStore(t.Context(), at, "x", slog.New(slog.DiscardHandler), filestore.Options{})
	if err == nil {
		t.Cleanup(func() {
			if err := closeStore(); err != nil {
				t.Error(err)
			}
		})
	}
	return store, err
}

// fallible is a store that fails while err is set.
type fallible struct {
	quota.Store
	err error
}

func (f *fallible) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if f.err != nil {
		return quota.Reply{}, f.err
	}
	return f.Store.Sync(ctx, r)
}

func (f *fallible) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Store.History(ctx, from, to)
}

func TestAStoreIsWatched(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(metrics.Build{})
	f := &fallible{Store: quota.NewMemory(nil)}
	s := &watchedStore{Store: f, metrics: m, log: slog.New(slog.NewTextHandler(&out, nil)), policy: "allow"}
	exchange := func(err error) {
		f.err = err
		if _, got := s.Sync(t.Context(), quota.Report{Replica: "a", Seq: 1, Day: 1}); !errors.Is(got, err) {
			t.Errorf("the error is %v, want %v", got, err)
		}
	}
	exchange(nil)
	exchange(errors.New("disk full"))
	exchange(errors.New("disk full"))
	_, _ = s.History(t.Context(), 1, 1) // counts
	exchange(nil)
	left, leave := context.WithCancel(t.Context())
	leave()
	_, _ = s.Store.History(left, 1, 1)
	_, _ = s.History(left, 1, 1) // whoever asked has left: no failure of the store
	if ours, err := s.Lease(t.Context(), "probe", time.Minute); !ours || err != nil {
		t.Errorf("the lease: %v, %v", ours, err)
	}
	body := seriesOf(t, m)
	for _, want := range []string{
		`neuronward_store_failures_total{policy="allow"} 3`, `neuronward_store_failures_total{policy="deny"} 0`,
		`neuronward_store_duration_seconds_count{op="exchange"} 4`, `neuronward_store_duration_seconds_count{op="history"} 2`,
		`neuronward_store_duration_seconds_count{op="lease"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	if got := strings.Count(out.String(), "the store fails"); got != 1 || !strings.Contains(out.String(), "disk full") {
		t.Errorf("the failure was logged %d times:\n%s", got, out.String())
	}
	if got := strings.Count(out.String(), "the store works again"); got != 1 {
		t.Errorf("the recovery was logged %d times:\n%s", got, out.String())
	}
}
