// Package proxy is the reverse proxy itself: it takes a call from an app to
// Workers AI and back, and answers every failure with the one envelope.
//
// Proxy.ServeHTTP is one request from top to bottom; each step lives in a file
// of its own and returns its error, and fail.go alone writes error answers.
// The package decides what is asked of upstream and when. It never reads the
// environment and never judges what an upstream failure means (normalize does).
package proxy
