// Package timelimit bounds how long upstream and the caller of one call may take. Who is too slow holds what others
// need: a slot, memory, a connection. net/http bounds only the headers of a request. The package is given readers,
// writers and durations; it never knows a call, a failure or a setting.
//
// Begin with Watchdog, which bounds the waits for an answer and for whoever reads it, then Body, which bounds the wait
// for a request's body. The lock of a Watchdog is a leaf: Expired, which is called under it, may take no lock that is
// held while a method is called.
package timelimit
