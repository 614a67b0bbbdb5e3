package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// ErrClosed is returned by a Store that was closed.
var ErrClosed = errors.New("filestore: the store is closed")

// defaultFlush is how long what need not be on the disk at once may wait: which
// model and client spent what was granted.
const defaultFlush = time.Minute

// Options are the settings of a Store. The zero value is usable.
type Options struct {
	LockWait time.Duration    // how long to wait for another process to let the file go, as in a rolling restart
	Waiting  func(pid string) // told once when that wait begins, with the other process's id if it is known; may be nil
	Flush    time.Duration    // how long records may wait to be written; 0: a minute
	Now      func() time.Time // nil: time.Now
}

// Store is a quota.Store in a file. One process has it open at a time; several
// ledgers of that process may share it.
type Store struct {
	path     string
	o        Options
	lock     *lock
	watchers quota.Watchers
	ctx      context.Context // ends with the store
	cancel   context.CancelFunc

	mu      sync.Mutex
	books   *quota.Books
	encoded map[quota.Day][]byte // days as they were last written
	due     *time.Timer
	writes  int64
	failed  bool // the last write did
	closed  bool
}

// Open opens the file at path, or begins one. It makes the directory (0700) if
// it is missing, waits up to o.LockWait for another process that has the file
// open, and reads it. A file that cannot be read is left alone and the error
// says what to do.
//
// What holders of former processes held is lost for the rest of the day: they
// may have spent it.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Flush <= 0 {
		o.Flush = defaultFlush
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the file is replaced, not the link
	}
	if err := room(path); err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, path+".lock", o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, o: o, lock: lock, encoded: map[quota.Day][]byte{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.load(); err != nil {
		s.cancel()
		return nil, errors.Join(err, lock.release())
	}
	return s, nil
}

// room makes the directory of path if it is missing, and tells what no file can
// be made of.
func room(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("filestore: %s is a directory: name a file in it", path)
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("filestore: %s cannot be made: %s is a file, not a directory: move it away, or name a file elsewhere", path, pe.Path)
	}
	if err != nil {
		return fmt.Errorf("filestore: the directory of %s cannot be made: %w", path, err)
	}
	return nil
}

// load reads the file and writes it once: whether it can be written is found out
// now, not at the first call.
func (s *Store) load() error {
	if err := clean(s.path); err != nil {
		return err
	}
	data, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.books = quota.NewBooks()
	case err != nil:
		return fmt.Errorf("filestore: %w; nothing was changed: make it readable for this user", err)
	default:
		if s.books, err = decode(data); err != nil {
			return fmt.Errorf("filestore: %s: %w; it was left as it was: restore it from a backup, "+
				"or move it away to begin with nothing counted (what was spent today is then not known)", s.path, err)
		}
	}
	s.books.Prune(quota.KeepDays)
	return s.write()
}

// Sync implements quota.Store. It returns after the file is on the disk if
// it grants anything, or if a pot's sum has changed otherwise: what was given
// back, or spent beyond what was granted.
//
// Once a write has failed every exchange tries again, and fails until one works:
// that some need no write does not mean that the disk is back.
func (s *Store) Sync(ctx context.Context, r quota.Report) (quota.Reply, error) {
	if err := ctx.Err(); err != nil {
		return quota.Reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return quota.Reply{}, ErrClosed
	}
	before, spent, latch, external := s.sums(r), s.spent(r), s.books.Block, s.external(r.Day)
	state, events, undo, err := s.books.Exchange(r, s.o.Now())
	if err != nil {
		return state, err
	}
	delete(s.encoded, r.Day)
	if s.failed || s.books.Block != latch || s.external(r.Day) != external || !maps.Equal(s.sums(r), before) {
		if err := s.write(); err != nil {
			undo()
			delete(s.encoded, r.Day)
			return quota.Reply{}, err
		}
	} else if len(r.Records) > 0 || len(r.Hours) > 0 || s.spent(r) != spent {
		s.later()
	}
	s.watchers.Publish(events...)
	return state, nil
}

// sums returns what the reporting holder has of each pot with a ceiling, spent
// and held. As long as these stay the same, calls move neurons from held to
// spent, and a crash costs nothing that the file does not count already.
func (s *Store) sums(r quota.Report) map[quota.Budget]quota.Neurons {
	day := s.books.Days[r.Day]
	if day == nil || day.Holders[r.Replica] == nil {
		return nil
	}
	sums := map[quota.Budget]quota.Neurons{}
	for p, row := range day.Holders[r.Replica].Rows {
		if total := row.Spent + row.Held; row.Limit > 0 && total != 0 {
			sums[p] = total
		}
	}
	return sums
}

// external returns what is external of a day.
func (s *Store) external(d quota.Day) quota.External {
	if day := s.books.Days[d]; day != nil {
		return day.External
	}
	return quota.External{}
}

// spent returns what the reporting holder has spent, over all pots.
func (s *Store) spent(r quota.Report) (sum quota.Neurons) {
	if day := s.books.Days[r.Day]; day != nil && day.Holders[r.Replica] != nil {
		for _, row := range day.Holders[r.Replica].Rows {
			sum += row.Spent
		}
	}
	return sum
}

// later sees to it that the file is written within o.Flush.
func (s *Store) later() {
	if s.due == nil {
		s.due = time.AfterFunc(s.o.Flush, s.flush)
	}
}

func (s *Store) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.due == nil {
		return
	}
	s.due = nil
	_ = s.write() // the next exchange tries again, and says so
}

// write puts the books on the disk.
func (s *Store) write() error {
	data, err := encode(s.books, s.encoded)
	if err == nil {
		err = replace(s.path, data)
	}
	if err != nil {
		s.failed = true
		return fmt.Errorf("filestore: %s cannot be written: %w", s.path, err)
	}
	s.writes++
	s.failed = false
	if s.due != nil {
		s.due.Stop()
		s.due = nil
	}
	return nil
}

// History implements quota.Store.
func (s *Store) History(ctx context.Context, from, to quota.Day) ([]quota.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.books.History(from, to), nil
}

// Hours implements quota.Store.
func (s *Store) Hours(ctx context.Context, day quota.Day) (quota.Hours, error) {
	if err := ctx.Err(); err != nil {
		return quota.Hours{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return quota.Hours{}, ErrClosed
	}
	return s.books.Hours(day), nil
}

// Lease implements quota.Store.
func (s *Store) Lease(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	ours := s.books.Lease(name, ttl, s.o.Now())
	if !ours {
		return false, nil
	}
	if err := s.write(); err != nil {
		delete(s.books.Leases, name)
		return false, err
	}
	return true, nil
}

// Watch implements quota.Store.
func (s *Store) Watch(ctx context.Context) (<-chan quota.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	return s.watchers.Add(ctx), nil
}

// Publish implements quota.Store.
func (s *Store) Publish(ctx context.Context, e quota.Event) error {
	s.watchers.Publish(e)
	return ctx.Err()
}

// Close writes what is not written yet and lets the file go. Further calls do
// nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.cancel()
	var err error
	if s.due != nil || s.failed {
		err = s.write()
	}
	return errors.Join(err, s.lock.release())
}

// Writes returns how often the file was written since it was opened.
func (s *Store) Writes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
