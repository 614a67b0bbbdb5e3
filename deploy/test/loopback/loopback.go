// Package loopback is what the tests of several packages here need of this machine's loopback.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Free returns an address on loopback that nobody listened on a moment ago. Its port is below those that the system
// gives to whoever asks for any.
func Free(t testing.TB) string {
	t.Helper()
	for {
		address := fmt.Sprint("127.0.0.1:", 12_000+rand.IntN(20_000)) //nolint:gosec // any will do
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}
