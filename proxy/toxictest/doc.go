// Package toxictest puts a bad network between the real proxy and the simulated Workers AI, over real sockets: what becomes of
// calls whose bytes are late, slow, lost, cut or reset. Its tests are a module of their own, since Toxiproxy, which makes that
// network, brings a server with all that it needs.
//
// It must never know how the proxy works inside: it sees the answers, and what the proxy tells of itself.
package toxictest
