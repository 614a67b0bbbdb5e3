package filestore_test

import (
	"syscall"
	"testing"
)

// limits stands for a disk that is full: no file may grow beyond a megabyte, so
// that a write of fat stops in the middle. Less would hit the log that go test
// keeps of the test.
func limits() map[string]failure {
	return map[string]failure{"a full disk": func(t *testing.T, _ string) func() {
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fat, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
				t.Fatal(err)
			}
		}
	}}
}
