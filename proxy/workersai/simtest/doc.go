// Package simtest is what tests of several packages ask of the simulator: a call for each form of answer, and a way to
// make it.
//
// It is for tests alone and knows nothing of the proxy.
package simtest
