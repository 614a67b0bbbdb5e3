// Package price says what calls to Workers AI cost, in neurons: a table of
// prices, the estimate of a call before it is made, its cost by what Workers AI
// reported, and what the costs of former calls show about the table.
//
// The embedded table, prices.json, holds Cloudflare's published prices and, where
// that is more, what was measured. The live catalog (models/search), which package
// account reads, is laid over it. Bounds of what a call does not say come from the
// models' documentation: those of each model stand in limits.json, which also has the
// models without a price, and the others with their constants.
//
// The package knows no ledger and no HTTP. A Table is immutable. An Estimator
// replaces its table atomically and keeps what it has learned under one mutex,
// which is held for no call of another package.
//
// Begin with Table, then read Estimator.Resolve, Estimate, Cost and Learn. A unit of billing is a field of Row
// (table.go), a column (column.go), a term of the bound (request.go) and of the cost (cost.go), and a phrase of
// the catalog in package account.
package price
