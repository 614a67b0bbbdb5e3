// Package metrics holds every Prometheus series that neuronward exports, on a
// registry of its own.
//
// Callers report events (a call delivered, a failure answered); the vectors
// behind them stay private, so a label can only take a value from a bounded
// set. The package knows the error catalog, whose entries are all present at 0
// from the start, and nothing of HTTP, configuration or quota.
package metrics
