//go:build !unix

package config

import "io/fs"

// owns reports whether a file is this user's: where files have no owners it is nobody else's.
func owns(int, fs.FileInfo) bool { return true }
