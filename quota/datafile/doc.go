// Package datafile reads the files that this program writes itself: whole, and only if they are regular files of a
// sane size. Whatever else is at the path, reading neither waits for it nor fills the memory.
//
// It knows nothing of what is in a file.
package datafile
