// Package reconcile says what the account's own figure means: what was spent
// outside of all replicas, what of the lost neurons was not spent, and whether a
// figure that is lower than one before can be right.
//
// It is arithmetic over values, which takes the time as an argument. It never
// knows a ledger, a store or where a figure is read, and imports no other package
// of this module: N is quota.Neurons, millionths of a neuron.
//
// Nothing here has a lock: the ledger's mutex guards it. Begin with
// History.Compare in history.go and Drop.Accept in drop.go.
package reconcile
