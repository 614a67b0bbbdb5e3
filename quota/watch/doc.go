// Package watch passes the events of a store to those who watch it within this
// process.
//
// It never knows what an event means, nor waits for whoever reads it: a slow
// reader misses events, as quota.Store allows.
//
// One mutex, Watchers.mu, guards the channels. It is held while events are put
// into them, which never blocks. Begin with Watchers.Add.
package watch
