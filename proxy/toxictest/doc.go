// Package toxictest puts a bad network between the real proxy and the simulated Workers AI, over real sockets:
// calls whose bytes are late, slow, lost, cut or reset. Its tests are a module of their own, since Toxiproxy,
// which simulates the network, depends on a whole server.
//
// It must never know how the proxy works inside: it reads the answers and the proxy's public state. Begin with
// situations.
package toxictest
