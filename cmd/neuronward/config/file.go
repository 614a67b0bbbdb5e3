package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A smallFile is a file that is read whole, again and again. It is for one goroutine.
type smallFile struct {
	variable string // that names it
	path     string
	content  string // what it should hold, for a message
	maxSize  int64  // bytes
	secret   bool   // others should not be able to read it

	irregular bool        // a pipe or a device, which can be read once
	open      fs.FileMode // permissions of others that were warned about
}

// read returns what the file holds and what to warn about. The whole file is read each time: times and sizes do not
// show every change. A file that was regular must be so still: whoever opens a pipe waits for a writer.
func (f *smallFile) read(again bool) (content []byte, warning string, err error) {
	flags := os.O_RDONLY
	if again {
		flags |= syscall.O_NONBLOCK
	}
	file, err := os.OpenFile(f.path, flags, 0)
	if err != nil {
		return nil, "", unreadable(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, "", unreadable(err)
	}
	regular := info.Mode().IsRegular()
	switch {
	case info.IsDir():
		return nil, "", fmt.Errorf("%s is a directory; name the file in it", f.path)
	case again && !regular:
		return nil, "", fmt.Errorf("%s is a pipe or a device now, which can be read at the start only; "+
			"put a file in its place", f.path)
	}
	f.irregular = !regular
	content, err = io.ReadAll(io.LimitReader(file, f.maxSize+1))
	switch {
	case err != nil:
		return nil, "", unreadable(err)
	case int64(len(content)) > f.maxSize:
		return nil, "", fmt.Errorf("%s is larger than %d KiB; name a file that holds %s alone",
			f.path, f.maxSize>>10, f.content)
	}
	return content, f.exposure(info, os.Geteuid()), nil
}

// exposure returns a warning if others than user can read a secret file, once for each change of its permissions. A
// file of another user that its group may read is as it must be: only so can user read it. Kubernetes mounts a Secret
// so, and systemd a credential.
func (f *smallFile) exposure(info fs.FileInfo, user int) string {
	if !f.secret || !info.Mode().IsRegular() {
		return ""
	}
	open := info.Mode().Perm() & 0o044
	if !owns(user, info) {
		open &= 0o004
	}
	former := f.open
	f.open = open
	if open == 0 || open == former {
		return ""
	}
	return fmt.Sprintf("%s can be read by others (mode %04o); chmod 600 it", f.path, info.Mode().Perm())
}

// unreadable wraps an error of the operating system, which names the path.
func unreadable(err error) error {
	return fmt.Errorf("cannot be read (%w); check the path and its permissions", err)
}
