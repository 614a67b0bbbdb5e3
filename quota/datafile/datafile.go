package datafile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Read returns what the file at path holds, which may be maxSize bytes. A link is followed. The error says what is
// wrong with the path and names it.
func Read(path string, maxSize int64) ([]byte, error) {
	// Without O_NONBLOCK whoever opens a named pipe waits for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := Check(path, info, maxSize); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && int64(len(data)) > maxSize {
		err = tooLarge(path, maxSize)
	}
	return data, err
}

// Check returns nil if info, of path, is of a regular file of maxSize bytes at most.
func Check(path string, info fs.FileInfo, maxSize int64) error {
	if kind := kindOf(info.Mode()); kind != "" {
		return fmt.Errorf("%s is %s, not a regular file", path, kind)
	}
	if info.Size() > maxSize {
		return tooLarge(path, maxSize)
	}
	return nil
}

func tooLarge(path string, maxSize int64) error {
	if maxSize >= 1<<20 {
		return fmt.Errorf("%s is larger than %d MiB", path, maxSize>>20)
	}
	return fmt.Errorf("%s is larger than %d bytes", path, maxSize)
}

// kindOf says what is not a regular file; "" for one.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return ""
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "something else"
}
