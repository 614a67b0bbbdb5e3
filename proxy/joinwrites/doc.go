// Package joinwrites joins the writes on a connection to upstream. HTTP/2 has one connection for all calls, and
// net/http writes the headers of a call, its body and every frame of flow control by themselves: each would be a record
// of TLS and a system call. So would be the headers and the body over HTTP/1. It knows bytes and connections, and of
// what they mean only where the headers of a request end.
//
// Begin with Install; body.go is for HTTP/1 without TLS. The lock of a connection is a leaf; nothing is written under
// it.
package joinwrites
