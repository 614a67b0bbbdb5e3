//go:build !linux

package redisstore

import "syscall"

// diesWithUs is for Linux: elsewhere a server outlives tests that are killed.
func diesWithUs() *syscall.SysProcAttr { return nil }
