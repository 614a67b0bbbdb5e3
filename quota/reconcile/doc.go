// Package reconcile says what the account's own figure means: what was spent
// outside of all replicas, what of the lost neurons was not spent, and whether a
// figure that is lower than one before can be right, or one that has jumped.
//
// A figure counts at once if others have spent no more since the one before than a
// hundredth of the limit, or than twice what they spent in as long a time before
// that, up to a tenth of the limit. What is beyond that counts once a second
// reading shows it too. A first figure, which can be compared with none, counts;
// if the next one is lower, that takes its place. Other figures that are lower
// must last for an hour.
//
// It is arithmetic over values, which takes the time as an argument. It never
// knows a ledger, a store or where a figure is read, and imports no other package
// of this module: N is quota.Neurons, millionths of a neuron.
//
// Nothing here has a lock: the ledger's mutex guards it. Begin with
// History.Compare in history.go, Drop.Accept in drop.go and Jump.Accept in jump.go.
package reconcile
