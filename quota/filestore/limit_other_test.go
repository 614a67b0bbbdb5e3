//go:build !linux

package filestore_test

import (
	"os"
	"testing"
)

func unprivileged(t *testing.T, _ string) (back func()) {
	if os.Geteuid() == 0 {
		t.Fatal("the user is root, whom permissions do not stop; want another user")
	}
	return func() {}
}
