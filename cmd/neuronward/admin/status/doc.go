// Package status is what a running proxy shows of itself: the account's day, what past days cost, which models and
// clients spent it, and what failed. Its types are the JSON of /status and /status/history, and what the page shows.
//
// It reads the ledger and the proxy. To read the day it first publishes what this process has spent, so that all
// replicas agree; it changes nothing else. It must know nothing of HTTP, and has no locks. Begin reading with Status.
package status
