// Package quota says whether a call to Workers AI may be made, and keeps count of what calls cost. A Ledger serves
// reservations from what it holds of each budget, the account's day and those of clients, and shares them with other
// replicas through a Store. What a call costs is the business of package price, requests a minute that of package
// pace.
//
// It knows nothing of HTTP, of error envelopes or of series. Most packages below it import it; it imports those alone
// that know no type of its own: ahead, clock, rate, reconcile, schedule and single.
//
// Locks: Ledger.mu guards all that a ledger knows. It is never held while the store is asked; functions that release
// it meanwhile say so. Ledger.syncing, which lets one sync run at a time, is taken before mu. A Ledger calls a
// RateLimiter with mu held, so that must not call back.
//
// Begin with Ledger.Reserve in reserve.go and Reservation.Settle in reservation.go, then budget.go for the arithmetic
// of one budget (unlimited.go: of one without a limit), queue.go and next.go for calls that wait, and sync.go for the
// exchange with the store. What a call is measured and counted by is in package workload. A Store is
// the interface in store.go, and memstore shows in the fewest lines what it does: a new one passes storetest.Run, is
// opened in cmd/neuronward/store.go and checked in checks.go there. block.go and probe.go are about an account that
// Workers AI has refused, reconcile.go and audit.go about the account's own figure: what it means is the business of
// package reconcile.
package quota
