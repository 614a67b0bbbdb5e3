// Package workersai is a Workers AI that answers from memory: an http.Handler
// with the paths, bodies, streams, prices and failures of
// https://api.cloudflare.com and of an AI Gateway, for demonstrations and for the
// tests of whatever calls Workers AI. Start it with net/http/httptest; the header
// [SimulateHeader] makes a call fail in the way it names.
//
// It must never call anything, and it knows nothing of the proxy.
package workersai
