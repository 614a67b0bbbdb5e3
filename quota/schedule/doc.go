// Package schedule says which of the calls that wait for neurons goes next, and how long it will be until enough comes
// back for it.
//
// Turns is the order: fair by client, so that a client with fifty calls holds up another one's call by one of its own,
// and in the order of their arrival within a client. Usual is what calls of a model are like, and Expect how long it
// takes until calls in flight give back what is needed.
//
// It is arithmetic over values, which takes the time as an argument: by the monotonic clock, since the one by which
// days change is corrected now and then. It never knows a ledger or a budget, and imports no other package of this
// module: N is quota.Neurons. Nothing here has a lock: the ledger's mutex guards it.
package schedule
