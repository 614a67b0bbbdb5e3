// Package joinwrites joins the writes on a connection to upstream. HTTP/2 has one connection for all calls, and
// net/http writes the headers of a call, its body and every frame of flow control by themselves: each would be a record
// of TLS and a system call. It knows bytes and connections, and nothing of what they mean.
//
// Begin with Install. The lock of a connection is a leaf; nothing is written under it.
package joinwrites
