// Package redisstore is a quota.Store in a Redis or Valkey server, shared by all
// processes of one account.
//
// The package knows how rows are kept and when they expire, never what a call is.
// All rows of an account are in one slot of a cluster.
//
// Every step is one script that runs in the server, which has the rows: no lock is
// held while it is asked. Store.mu guards what the process remembers between two
// steps, and nothing else. How long a step may take follows the round trip
// (deadline.go).
//
// Begin with Store.Sync in sync.go and its script sync.lua, then read
// connect.go (connections), failure.go (what errors mean) and watch.go (events).
package redisstore
