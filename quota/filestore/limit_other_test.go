//go:build !linux

package filestore_test

import (
	"os"
	"testing"
)

func unprivileged(t *testing.T, _ string) (back func()) {
	if os.Geteuid() == 0 {
		t.Fatal("permissions do not stop root: run this test as somebody else")
	}
	return func() {}
}
