// Command peers measures what a call costs in CPU beside other proxies on the same machine: the reverse proxy of the
// standard library, with and without a larger heap, and nginx and caddy where they are installed. `make bench-peers`
// runs it.
//
// All proxies are called in turn within each round, and the tables show ratios to the first one in the same round: a
// machine that has other work to do changes both. The CPU time is that of the proxy's process alone, from /proc, so
// that neither the load nor the upstream counts: 1,000,000 divided by the µs of a call are the calls a second that one
// core can take. With -profiles it keeps profiles of neuronward; with -soak it holds callers and failures against
// neuronward alone and tells its memory. It imports nothing of this repository. Begin with main.go.
package main
