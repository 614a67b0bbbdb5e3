// Package filestore is a quota.Store in one local file, the default of a proxy
// that runs alone. A grant is on the disk before it may be spent. Whatever happens
// to the process or the machine, the file is either the former one or the next
// one, whole.
//
// The package never knows calls, prices or decisions: those are quota's.
//
// The lock of the memstore.Store inside guards all that is written, and is held
// during a write: a report waits for the disk. A lock file beside the file
// (lock_unix.go) keeps other processes out. Begin with Open in filestore.go, then
// read format.go (what is in the file) and replace.go (how it is replaced).
package filestore
