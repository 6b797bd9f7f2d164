package e2e

import (
	"os/exec"
	"syscall"
)

// dieWithUs has the kernel kill the process when the thread that started it ends, so that not even a killed test run leaves one behind.
func dieWithUs(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
