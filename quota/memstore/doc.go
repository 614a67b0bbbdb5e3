// Package memstore is a quota.Store in the memory of the process. It is for a
// proxy that stores nothing, for tests, and the inside of package filestore, which
// gives it a Keeper that makes changes durable.
//
// The package never knows calls, prices or decisions: those are quota's. Nor does
// it know where its state is kept.
//
// One mutex, Store.mu, guards the state. It is held while the Keeper and what is
// passed to Save run, so that neither may call the Store.
//
// Begin with Store.Sync in memstore.go, then read state.go (what each operation
// does) and saved.go (sums over all replicas, and what outlives a restart).
package memstore
