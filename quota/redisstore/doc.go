// Package redisstore is a quota.Store in a Redis or Valkey server, shared by
// all processes of one account.
//
// It knows how rows are kept and how they come and go, never what a call is. It
// talks to one server: Sentinel and Cluster are refused.
package redisstore
