//go:build !linux

package deploytest

import "syscall"

// diesWithUs is for Linux: elsewhere a child process outlives tests that are killed.
func diesWithUs() *syscall.SysProcAttr { return nil }
