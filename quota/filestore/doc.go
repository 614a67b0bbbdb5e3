// Package filestore keeps what the holders of one account agreed on in one local
// file, the default of a proxy that runs alone: a grant is on the disk before it
// may be spent, and whatever happens to the process or the machine, the file is
// either the former one or the next one, whole.
//
// It knows nothing of calls, prices or decisions: those are quota's.
package filestore
