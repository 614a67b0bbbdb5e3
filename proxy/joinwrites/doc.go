// Package joinwrites joins the writes on a connection to upstream. HTTP/2 has one connection for all calls, and
// net/http writes the headers of a call, its body and every frame of flow control by themselves: each would be a record
// of TLS and a system call. So would be the headers and the body over HTTP/1. It knows bytes and connections, and of
// what they mean only where the headers of a request end.
//
// Begin with Install; joined.go is for HTTP/2, above TLS, and body.go for HTTP/1 without TLS. The lock of a joined
// connection is held for no write; that of a conn, below it, is held for each but those of ReadFrom.
package joinwrites
