// Package metrics holds every Prometheus series that neuronward exports, on a registry of its own.
//
// Callers report events, such as a call that ended or a failure that was answered. The vectors stay private, so that a
// label only takes values from a bounded set. The package knows the error catalog, whose entries are all exported at 0
// from the start. It must never know HTTP calls, the configuration or quota. Begin reading with New.
//
// There are no locks of its own: prometheus is safe for concurrent use. The functions that the Watch methods take are
// called at each scrape, in the scraper's goroutine, and must be safe for that.
package metrics
