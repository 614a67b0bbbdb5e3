// Package guard stands between a call and the ledger: it reserves what a call may cost before it is made and settles
// what it did cost afterwards. Package quota decides in neurons; here a decision becomes an error of the catalog, and
// the end of a call a cost.
//
// The guard must never know an HTTP request, a stream or a route: it is given a Call and later an Outcome, which are
// values. A Charge belongs to one call and is not safe for concurrent use; a Guard is, and its only lock is that of its
// batches. The Session that a Charge becomes for a call over a WebSocket (session.go) is as well.
//
// Begin with Guard.Reserve. What a call costs, and by whose figure, is the table in verdict.go; each figure in it is
// computed in figure.go. What an answer's headers say comes in the Outcome, which the proxy fills in answer.go and
// charge.go; what its body says comes from the meter.
package guard
