// Package workersai is a Workers AI that answers from memory: an http.Handler
// with the paths, bodies, streams, prices and failures of
// https://api.cloudflare.com and of an AI Gateway, for demonstrations and for the
// tests of whatever calls Workers AI. Start it with net/http/httptest; the header
// [SimulateHeader] makes a call fail in the way it names.
//
// Of agents it plays the model: it calls tools, and answers with objects, as the
// caller's JSON schemas want them (package schema). The header, or Options.Answer,
// says when tools are called and what is said. Tests that share a simulator name a
// session each.
//
// It must never call anything, and it knows nothing of the proxy.
package workersai
