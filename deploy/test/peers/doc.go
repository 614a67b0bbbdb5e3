// Peers measures what a call costs in CPU beside other proxies on the same machine: the reverse proxy of the standard
// library, with and without a larger heap, and nginx and caddy where they are installed. `make bench-peers` runs it.
//
// All proxies are called in turn within each round, and the tables show ratios to the first one in the same round: a
// machine that has other work to do changes both. The CPU time is that of the proxy's process alone, from /proc, so
// that neither the load nor the upstream counts. It imports nothing of this repository. Begin with main.go.
package main
