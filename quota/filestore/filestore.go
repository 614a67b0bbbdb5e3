package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/datafile"
	"github.com/neuronward/neuronward/quota/memstore"
)

// ErrClosed is returned by a Store that was closed.
var ErrClosed = errors.New("filestore: the store is closed")

// defaultFlush is how long records may wait to be written: which model and client
// spent what was granted.
const defaultFlush = time.Minute

// maxSize bounds the file, in bytes. One of 62 days of which each has a thousand records has a third of this.
const maxSize = 64 << 20

// whatToDo says what to do where something else is at the path.
const whatToDo = "it was left as it was: name another path, or move it away to begin with nothing counted"

// Options are the settings of a Store. The zero value is usable.
type Options struct {
	LockWait time.Duration    // how long to wait for another process to close the file, as in a rolling restart
	Waiting  func(pid string) // called once when that wait begins, with the other process's id or ""; may be nil
	Flush    time.Duration    // how long records may wait to be written; 0: a minute
	Now      func() time.Time // nil: time.Now
}

// Store is a quota.Store in a file: a memstore.Store that is written to it. One
// process has it open at a time; several ledgers of that process may share it.
//
// Sync returns after the file is on the disk if it grants anything, or if the sum
// of a budget has changed otherwise: neurons were returned, or more was spent than
// was granted. Once a write has failed, every Sync writes, and fails until a write
// succeeds: that a report needs no write does not mean that the disk works again.
type Store struct {
	*memstore.Store
	path   string
	o      Options
	lock   *lock
	ctx    context.Context // ends with the store
	cancel context.CancelFunc

	// Guarded by the lock of memstore.Store, which is held while keep and the functions that are passed to Save run.

	encoded map[*memstore.SavedDay][]byte // days as they were last written
	timer   *time.Timer                   // runs flush; nil: nothing waits to be written
	writes  int64
	failed  bool // the last write did
	closed  bool
}

// Open opens the file at path, or begins one. It makes the directory (0700) if
// it is missing, waits up to o.LockWait for another process that has the file
// open, and reads it. A file that cannot be read is not changed, and the error
// says what to do.
//
// What replicas of former processes held is lost for the rest of the day: they
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
	if path, err = followLink(path); err != nil {
		return nil, err
	}
	if err := makeDir(path); err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, path+".lock", o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, o: o, lock: lock, encoded: map[*memstore.SavedDay][]byte{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.load(); err != nil {
		s.cancel()
		return nil, errors.Join(err, lock.release())
	}
	return s, nil
}

// followLink returns what path stands for: the file is replaced, not the link to it. One that leads nowhere would be
// replaced, so it is an error.
func followLink(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		return target, nil
	}
	if to, linkErr := os.Readlink(path); linkErr == nil {
		return "", fmt.Errorf("filestore: %s is a link to %s, which cannot be followed (%w): "+
			"name the file itself, or make an empty directory for it and let the link name that", path, to, err)
	}
	return path, nil
}

// makeDir makes the directory of path if it is missing. Its error says why path
// cannot be a file.
func makeDir(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("filestore: %s is a directory: name a file in it", path)
	case err == nil:
		if err := datafile.Check(path, info, maxSize); err != nil {
			return fmt.Errorf("filestore: %w: %s", err, whatToDo)
		}
	}
	err = os.MkdirAll(filepath.Dir(path), 0o700)
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("filestore: %s cannot be made: %s is a file, not a directory: "+
			"move it away, or name a file elsewhere", path, pe.Path)
	}
	if err != nil {
		return fmt.Errorf("filestore: the directory of %s cannot be made: %w", path, err)
	}
	return nil
}

// load reads the file and writes it once, to find out now and not at the first
// call whether it can be written.
func (s *Store) load() error {
	if err := removeLeftovers(s.path); err != nil {
		return err
	}
	saved := &memstore.Saved{}
	data, err := datafile.Read(s.path, maxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("filestore: %w; nothing was changed: name a file that this user can read", err)
	default:
		if saved, err = decode(data); err != nil {
			return fmt.Errorf("filestore: %s: %w; it was left as it was: restore it from a backup, "+
				"or move it away to begin with nothing counted (what was spent today is then not known)", s.path, err)
		}
	}
	s.Store = memstore.NewDurable(saved, s.o.Now, s.keep)
	return s.Save(s.write)
}

// keep is a memstore.Keeper.
func (s *Store) keep(c memstore.Change, saved func() *memstore.Saved) error {
	switch {
	case s.closed:
		return ErrClosed
	case c == memstore.Urgent, s.failed:
		return s.write(saved())
	case c == memstore.Deferrable:
		s.writeLater()
	}
	return nil
}

// writeLater makes sure that the file is written within o.Flush.
func (s *Store) writeLater() {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.o.Flush, s.flush)
	}
}

func (s *Store) flush() {
	_ = s.Save(func(saved *memstore.Saved) error { // the next Sync tries again, and returns the error
		if s.closed || s.timer == nil {
			return nil
		}
		s.timer = nil
		return s.write(saved)
	})
}

// write puts saved on the disk.
func (s *Store) write(saved *memstore.Saved) error {
	data, err := encode(saved, s.encoded)
	if err == nil {
		err = replace(s.path, data)
	}
	if err != nil {
		s.failed = true
		return fmt.Errorf("filestore: %s cannot be written: %w", s.path, err)
	}
	s.writes++
	s.failed = false
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return nil
}

// Watch implements quota.Store.
func (s *Store) Watch(ctx context.Context) (<-chan quota.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	return s.Store.Watch(ctx)
}

// Close writes what waits to be written and releases the file. Further calls do
// nothing.
func (s *Store) Close() error {
	return s.Save(func(saved *memstore.Saved) error {
		if s.closed {
			return nil
		}
		s.closed = true
		s.cancel()
		var err error
		if s.timer != nil || s.failed {
			err = s.write(saved)
		}
		return errors.Join(err, s.lock.release())
	})
}

// Writes returns how often the file was written since it was opened.
func (s *Store) Writes() (n int64) {
	_ = s.Save(func(*memstore.Saved) error { n = s.writes; return nil }) // it cannot fail
	return n
}
