// Package clients knows who may call: the text of the clients file, the keys, and what each client may use.
//
// A Set is one reading of the file and never changes. Of a key only its SHA-256 is known here. The package opens no file,
// spends no budget, counts no requests and writes no answer. Begin with parse.go and set.go.
package clients
