// Package clients knows who may call: it reads the text of the clients file, finds the client of a key and says what
// the client may use.
//
// A Set is one reading of the file and never changes. Of a key only its SHA-256 is kept. The package opens no file,
// spends no budget, counts no requests and writes no answer. Begin with Parse and Set; identify.go finds the key in a
// call.
package clients
