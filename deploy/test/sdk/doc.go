// Package sdk runs real SDKs against the real binary and the simulated Workers AI: what the user of each one
// sees of a success, a stream and a failure, and how many requests it took. Its tests are a module of their
// own, since the SDKs are no part of the product. They also make SDKS.md and MATRIX.md in this folder: go test -update.
// In agents/ the demo plays the model of real agents.
//
// It must never know how the proxy works inside: it sees the command, its log and what an SDK makes of its answers.
package sdk
