// Package loopback is what the tests of several packages here need of this machine's loopback.
package loopback

import (
	"net"
	"testing"
)

// Free returns an address on loopback that nobody listened on a moment ago.
func Free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
