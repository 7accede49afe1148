package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The limit of a shell is not that of what is started by a process that has raised it.
func TestRaiseOpenFiles(t *testing.T) {
	if os.Getenv("RAISES_OPEN_FILES") != "" {
		RaiseOpenFiles()
		out, err := exec.Command("sh", "-c", "echo limit=$(ulimit -Sn)").Output()
		if err != nil {
			t.Fatal(err)
		}
		t.Log(string(out))
		return
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -S -n 256; exec "$0" -test.run='^TestRaiseOpenFiles$' -test.v`, exe)
	cmd.Env = append(os.Environ(), "RAISES_OPEN_FILES=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "limit=") || strings.Contains(string(out), "limit=256\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
