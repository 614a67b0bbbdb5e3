// Package clients knows who may call: the clients file, the keys, and what each
// client may use.
//
// A Set is one reading of the file and never changes; a File follows the file
// and always has the last good Set. Of a key only its SHA-256 is known here.
// The package knows nothing of calls in flight: it spends no budget and counts
// no requests, and it writes no answer.
package clients
