//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/neuronward/neuronward/quota/datafile"
)

// lock is a lock on a file beside the one that it guards, which is replaced. It
// ends with the process, however that ends.
type lock struct{ f *os.File }

// acquire takes the lock, waiting up to o.LockWait for another process.
func acquire(ctx context.Context, path string, o Options) (*lock, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	const pause = 20 * time.Millisecond
	deadline := time.Now().Add(o.LockWait)
	waiting := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			// For the message of a process that finds the lock taken.
			_ = f.Truncate(0)
			_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
			return &lock{f}, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errors.Join(fmt.Errorf("filestore: %s cannot be locked: %w", path, err), f.Close())
		}
		left := time.Until(deadline)
		if left <= 0 {
			err := fmt.Errorf("filestore: another process (%s) has %s open: "+
				"stop it, or give this one a file of its own", owner(f), strings.TrimSuffix(path, ".lock"))
			return nil, errors.Join(err, f.Close())
		}
		if !waiting && o.Waiting != nil {
			o.Waiting(owner(f))
			waiting = true
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("filestore: waiting for %s: %w", path, ctx.Err()), f.Close())
		case <-time.After(min(left, pause)):
		}
	}
}

// maxLock is how long the content of a lock is, at most: the id of a process and a newline.
const maxLock = 32

// openLock opens the lock file, or makes it. It is written to, so it must be one: a link is not followed, and a file
// that holds anything but the id of a process is not touched.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // FreeBSD says the latter
		return nil, fmt.Errorf("filestore: the lock file %s is a symbolic link, which is not followed: remove it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("filestore: the lock file cannot be opened: %w; "+
			"the directory must be writable for this user, or the file must be in another one", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = datafile.Check(path, info, maxLock)
	}
	if err == nil && strings.Trim(owner(f), "0123456789") != "" {
		err = fmt.Errorf("%s holds something else than the id of a process", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filestore: the lock file is none: %w; it was left as it was: "+
			"move it away, or name a state file elsewhere", err), f.Close())
	}
	return f, nil
}

// owner returns the id of the process that has the lock on f, as it wrote it.
func owner(f *os.File) string {
	pid, _ := io.ReadAll(io.NewSectionReader(f, 0, maxLock))
	return strings.TrimSpace(string(pid))
}

func (l *lock) release() error {
	// The file stays: if it were removed, two processes could lock two files of one name.
	return l.f.Close()
}
