package redisstore

import "syscall"

// diesWithUs ends a server also when the tests are killed.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
