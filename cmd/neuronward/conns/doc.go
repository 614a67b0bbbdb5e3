// Package conns limits what connections may take before a call is known: how
// many are open, by whom, and how long each may need until its first request.
// It also gives the one envelope to requests that are not valid HTTP, which
// net/http would answer by itself and in plain text.
//
// Listener is the limit, Serve puts a server on it; begin reading there. The
// package knows connections and requests, never what a call asks for: that is
// proxy's. No lock is held while a connection is read, written or closed.
package conns
