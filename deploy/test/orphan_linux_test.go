package deploytest

import "syscall"

// diesWithUs ends a child process also when the tests are killed.
func diesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
