// Package mediatest makes the recordings, pictures and forms that tests send.
//
// It is for tests alone and knows nothing of what is measured.
package mediatest
