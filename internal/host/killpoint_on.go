//go:build killpoint

package host

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// passed counts the killpoints of this process. It exists in test builds only.
var passed atomic.Int64

// Killpoint kills the process, as kill -9 does, at the call whose number from 1, or whose name, is in
// TRIPOD_KILL_AT. If TRIPOD_KILL_LIST names a file, each call adds its number and name to it.
func Killpoint(name string) {
	n := passed.Add(1)
	if list := os.Getenv("TRIPOD_KILL_LIST"); list != "" {
		note(list, fmt.Sprintf("%d %s\n", n, name))
	}
	if at := os.Getenv("TRIPOD_KILL_AT"); at != name && at != strconv.FormatInt(n, 10) {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal may take a moment, and nothing more must happen in it
}

func note(path, line string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "killpoint:", err)
		return
	}
	defer f.Close()
	_, _ = f.WriteString(line)
}
