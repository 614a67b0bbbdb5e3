//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// owns reports whether a file is this user's, who can then say who may read it. Root can of every file.
func owns(user int, info fs.FileInfo) bool {
	file, ok := info.Sys().(*syscall.Stat_t)
	return !ok || user == 0 || int64(file.Uid) == int64(user)
}
