package agent

import (
	"path/filepath"
	"strings"
	"testing"
)

// A path that has no room in a socket's address is as good as another.
func TestLongSocketPath(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.options.State = filepath.Join(l.dir, strings.Repeat("long/", 40), "state")
	l.options.Socket = filepath.Join(l.options.State, "agent.sock")
	l.Client.Socket = l.options.Socket
	l.put("p.yaml", manifest("p", "sleep", "", ""))
	pid := l.daemon()
	equal(t, "pid of a second start", l.daemon(), pid)
	c := l.running("p", 0)
	for range 2 {
		if err := Shutdown(t.Context(), l.options); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "alive", []bool{alive(pid), alive(c.PID)}, []bool{false, false})
	equal(t, "pid of one after it", l.daemon() != pid, true)
}
