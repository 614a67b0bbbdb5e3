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

	"github.com/neuronward/neuronward/cmd/neuronward/config"
	"github.com/neuronward/neuronward/metrics"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/filestore"
)

func TestAStoreThatCannotBeWritten(t *testing.T) {
	_, err := opened(t, "/sys/neuronward/neurons")
	const first = "NEURONWARD_STORE: "
	const last = "; write file:PATH with a path that this user can write, or memory: alone to forget usage at the end"
	if err == nil {
		t.Fatalf("a directory that nobody can write: got no error, want %s…%s", first, last)
	}
	if said := err.Error(); !strings.HasPrefix(said, first) || !strings.HasSuffix(said, last) {
		t.Errorf("a directory that nobody can write: got %s, want %s…%s", said, first, last)
	}
}

func TestAStoreThatAnotherProcessHas(t *testing.T) {
	at := filepath.Join(t.TempDir(), "neurons")
	if _, err := opened(t, at); err != nil {
		t.Fatal(err)
	}
	_, err := opened(t, at)
	want := fmt.Sprintf("NEURONWARD_STORE: filestore: another process (%d) has %s open: "+
		"stop it, or give this one a file of its own", os.Getpid(), at)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A kind that was added to the configuration alone must not become a file.
func TestAStoreOfAnUnknownKind(t *testing.T) {
	t.Parallel()
	unknown := config.Store{Kind: "cloud", Path: filepath.Join(t.TempDir(), "neurons")}
	const found = `there is no store of the kind "cloud"`
	store, closeStore, err := openStore(t.Context(), unknown, "x", unwatched(), filestore.Options{})
	if err == nil || err.Error() != "NEURONWARD_STORE: "+found {
		t.Errorf("openStore(%v): got the error %v, want NEURONWARD_STORE: %s", unknown, err, found)
	}
	if store != nil || closeStore != nil {
		t.Errorf("openStore(%v): got a store, want none", unknown)
	}
	k := &checker{c: &config.Config{Store: unknown}}
	k.checkStore(t.Context())
	want := []checkResult{{"store", resultFailure, found, "name another store in NEURONWARD_STORE"}}
	if !slices.Equal(k.results, want) {
		t.Errorf("checkStore with %v: got %v, want %v", unknown, k.results, want)
	}
	if _, err := os.Lstat(unknown.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: got %v, want no file", unknown.Path, err)
	}
}

// opened opens the file store at path.
func opened(t *testing.T, path string) (quota.Store, error) {
	t.Helper()
	store, closeStore, err := openStore(t.Context(), config.Store{Kind: config.StoreFile, Path: path}, "x",
		unwatched(), filestore.Options{})
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
	w := &storeWatch{metrics: m, log: slog.New(slog.NewTextHandler(&out, nil)), policy: "allow"}
	sync := func(err error) { w.onEvent(quota.StoreEvent{Op: quota.StoreSync, Err: err}) }
	sync(nil)
	sync(errors.New("disk full"))
	sync(errors.New("disk full"))
	w.onEvent(quota.StoreEvent{Op: quota.StoreHistory, Err: errors.New("disk full")})
	sync(nil)
	// whoever asked has left: no failure of the store
	w.onEvent(quota.StoreEvent{Op: quota.StoreHistory, Err: context.Canceled})
	w.onEvent(quota.StoreEvent{Op: quota.StoreLease})
	body := seriesOf(t, m)
	for _, want := range []string{
		`neuronward_store_failures_total{policy="allow"} 3`, `neuronward_store_failures_total{policy="deny"} 0`,
		`neuronward_store_duration_seconds_count{op="exchange"} 4`,
		`neuronward_store_duration_seconds_count{op="history"} 2`,
		`neuronward_store_duration_seconds_count{op="lease"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	equal(t, "lines of the failure", strings.Count(out.String(), "the store fails"), 1)
	contains(t, "the log", out.String(), "disk full")
	equal(t, "lines of the recovery", strings.Count(out.String(), "the store works again"), 1)
}

// One answer that is late is counted, and no failure in the log; a second one in a row is.
func TestAStoreThatIsLateIsWatched(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(metrics.Build{})
	w := &storeWatch{metrics: m, log: slog.New(slog.NewTextHandler(&out, nil)), policy: "deny"}
	late := fmt.Errorf("no answer within 50ms: %w", quota.ErrLate)
	for i, step := range []struct {
		err              error
		fails, recovered int // lines of the log
	}{{late, 0, 0}, {nil, 0, 0}, {late, 0, 0}, {late, 1, 0}, {late, 1, 0}, {nil, 1, 1}, {late, 1, 1}, {nil, 1, 1}} {
		w.onEvent(quota.StoreEvent{Op: quota.StoreSync, Err: step.err})
		said := out.String()
		equal(t, fmt.Sprint("lines of failures after step ", i), strings.Count(said, "the store fails"), step.fails)
		equal(t, fmt.Sprint("lines of recoveries after step ", i), strings.Count(said, "the store works again"),
			step.recovered)
	}
	contains(t, "the series", seriesOf(t, m), `neuronward_store_failures_total{policy="deny"} 5`+"\n")
}

func TestBatchesThatCannotBeKeptAreLogged(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(metrics.Build{})
	w := &storeWatch{metrics: m, log: slog.New(slog.NewTextHandler(&out, nil)), policy: "deny"}
	for _, err := range []error{nil, errors.New("disk full"), errors.New("disk full"), nil, nil} {
		w.onEvent(quota.StoreEvent{Op: quota.StoreBatch, Err: err})
	}
	equal(t, "lines of the failure", strings.Count(out.String(), "the store fails for batches"), 1)
	equal(t, "lines of the recovery", strings.Count(out.String(), "the store keeps batches again"), 1)
	contains(t, "the series", seriesOf(t, m), `neuronward_store_duration_seconds_count{op="batch"} 5`+"\n")
	contains(t, "the series", seriesOf(t, m), `neuronward_store_failures_total{policy="deny"} 2`+"\n")
}

// A directory in which anybody may replace the file is warned of, in the log and by check.
func TestAStoreInADirectoryThatEverybodyCanWrite(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]int{0o777: 1, 0o777 | os.ModeSticky: 0, 0o700: 0} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		s := config.Store{Kind: config.StoreFile, Path: filepath.Join(dir, "neurons")}
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		_, closeStore, err := openStore(t.Context(), s, "x", &storeWatch{log: logger}, filestore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := closeStore(); err != nil {
			t.Fatal(err)
		}
		warning := dir + " can be written by everybody"
		equal(t, fmt.Sprintf("warnings in the log at mode %v", mode), strings.Count(log.String(), warning), want)
		k := &checker{c: &config.Config{Store: s}}
		k.checkStore(t.Context())
		equal(t, fmt.Sprintf("warnings by check at mode %v", mode), strings.Count(fmt.Sprint(k.results), warning), want)
	}
}

// Grants that no replica of the server had in time are counted, and told when they begin and end; so is the distance.
func TestReplicasAndDistanceOfAServerAreWatched(t *testing.T) {
	var out bytes.Buffer
	m := metrics.New(metrics.Build{})
	w := &storeWatch{metrics: m, log: slog.New(slog.NewTextHandler(&out, nil))}
	late := errors.New("it hangs")
	for _, err := range []error{nil, late, late, nil, nil, late} {
		w.copied(err)
	}
	equal(t, "lines of the replica that is late", strings.Count(out.String(), "replica is late"), 2)
	equal(t, "lines of the replica that is in time", strings.Count(out.String(), "replica is in time again"), 1)
	contains(t, "the log", out.String(), "it hangs")
	contains(t, "the series", seriesOf(t, m), "neuronward_store_grants_uncopied_total 3\n")
	equal(t, "grants in the status", w.uncopied.Load(), 3)
	w.moved(150*time.Millisecond, true)
	w.moved(20*time.Millisecond, false)
	contains(t, "the log", out.String(), `name a server nearby" round_trip=150ms`)
	contains(t, "the log", out.String(), `the store is near again" round_trip=20ms`)
}
