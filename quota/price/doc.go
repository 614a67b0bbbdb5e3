// Package price says what calls to Workers AI cost, in neurons: the table of prices, the estimate of a call before it is made, its
// cost by what Workers AI reported, and what calls have shown of the table since.
//
// The embedded table, prices.json, holds Cloudflare's published prices (developers.cloudflare.com/workers-ai/platform/pricing), with
// what was measured where that says more. The live catalog (models/search, read by package account) is laid over it.
//
// It knows no ledger, no HTTP and no clock but the machine's. A Table is immutable; an Estimator swaps tables atomically and has one
// mutex for what it has learnt, under which nothing is called. Begin with Table, then Estimator.Estimate and Estimator.Cost.
package price
