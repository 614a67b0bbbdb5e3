package clients

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// maxFile is what Kubernetes lets a Secret or a ConfigMap be, in bytes.
const maxFile = 1 << 20

// A File is a clients file that is followed.
type File struct {
	path    string
	regular bool // what is not, such as a pipe, can be read once only
	set     atomic.Pointer[Set]
	state   atomic.Pointer[State]

	// For the goroutine of Watch.
	taken sight // what the last outcome was made of
	seen  sight // at the last look
}

// State is how the last reading of a File ended.
type State struct {
	OK       bool      // the file as it is now is in use; false: the last good one is
	LoadedAt time.Time // when the one in use was read
}

// A sight is what one look at the file found.
type sight struct {
	text, trouble string
}

// Open reads the clients file at path. The error is Mistakes, or says in one
// line why the file cannot be read.
func Open(path string) (*File, error) {
	f := &File{path: path}
	text, err := f.read()
	if err != nil {
		return nil, err
	}
	set, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	f.taken = sight{text: string(text)}
	f.seen = f.taken
	f.set.Store(set)
	f.state.Store(&State{OK: true, LoadedAt: time.Now()})
	return f, nil
}

// Set returns the clients as they are now. It takes no lock.
func (f *File) Set() *Set { return f.set.Load() }

// State returns how the last reading ended. It takes no lock.
func (f *File) State() State { return *f.state.Load() }

// String names the file and says how many clients it has.
func (f *File) String() string {
	n := len(f.Set().Clients())
	if n == 1 {
		return f.path + ", 1 client"
	}
	return fmt.Sprintf("%s, %d clients", f.path, n)
}

// read returns the whole of the file: it is small, and times and sizes do not
// show every change.
func (f *File) read() ([]byte, error) {
	flags := os.O_RDONLY
	if f.regular { // whoever opens a pipe waits for a writer
		flags |= syscall.O_NONBLOCK
	}
	file, err := os.OpenFile(f.path, flags, 0)
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(err)
	}
	if info.IsDir() {
		return nil, errors.New(f.path + " is a directory; name the file in it")
	}
	if f.regular && !info.Mode().IsRegular() {
		return nil, errors.New(f.path + " is a pipe or a device now, which can be read at the start only; put a file in its place")
	}
	f.regular = info.Mode().IsRegular()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d KiB; name a file of clients alone", f.path, maxFile>>10)
	}
	return text, nil
}

// unreadable words what the operating system said about a file, which names the path.
func unreadable(err error) error {
	return fmt.Errorf("cannot be read (%w); check the path and its permissions", err)
}
