package host

import "syscall"

// openFiles is what container runtimes give a container.
const openFiles = 1 << 20

// RaiseOpenFiles lets this process, and those that it starts, have as many open files as containers have, or at least as many
// as its user may have: a shell's own limit is for people.
func RaiseOpenFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	most := max(limit.Max, openFiles)
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: most}) != nil {
		// Only root may have more than that. What package os has raised at the start is taken back for children, this is not.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Max, Max: limit.Max})
	}
}
