// Package websocket passes the frames of a session over a WebSocket between a caller and Workers AI, and meters them on
// the way: it reads their headers, and of their payloads no more than what it must know (the text of a Speak, what
// Workers AI reports of the time). Frames pass unchanged.
//
// A Session is the upstream side of a connection that httputil.ReverseProxy has switched over. It says what has passed
// and ends when it must; what that costs is the business of its Charge. The package knows nothing of a call, of
// headers or of neurons.
//
// Begin with Session in session.go: upload.go is what the caller sends, download.go what it gets, ending.go how a
// session comes to its end, clock.go what happens by time. frame.go finds the frames in a stream of bytes.
//
// Locks: Session.sending, held while bytes of the caller are sent on, comes before Session.mu, under which nothing is
// called.
package websocket
