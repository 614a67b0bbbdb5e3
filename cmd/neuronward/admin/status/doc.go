// Package status is what a running proxy tells about itself: how the account's day stands, what past days cost, which
// models and clients spent it, and what failed. Its types are the JSON of /status and /status/history, and what the
// page shows.
//
// It reads the ledger and the proxy, and changes nothing but one thing: to read the day it publishes first what this
// process has spent, so that all replicas agree. It knows nothing of HTTP. Begin reading with Status.
package status
