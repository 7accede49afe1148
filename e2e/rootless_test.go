package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"tripod.dev/tripod/e2e/lab"
)

// The scripts in testdata/script/rootless show what tripod refuses, and what it shows without doing it. They need
// neither root nor the components. In them $XDG_STATE_HOME is the script's own place for sandboxes, $BIN a folder of
// components that end at once, $ADDRESS a loopback address that nobody else has. Beside testscript's own commands
// and the programs in bin/ they have:
//
//	ends CODE COMMAND...  run a command that ends with this exit code
//	untouched             nothing in the script's folder has changed since ends was last used
//	hold PORT...          this test listens there at $ADDRESS until the script ends; $HOLDER is its process id
//	expand FILE...        replace the variables in files
//	expired-ca DIR        write a CA into DIR that has expired
//
// and the conditions [namespaces]: whoever runs the test may have them, so there can be a machine; and [root].
func TestRootlessScripts(t *testing.T) {
	l, err := lab.Find()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:         "testdata/script/rootless",
		WorkdirRoot: t.TempDir(), // testscript forgets its own if -run picks some of the scripts
		Setup:       func(env *testscript.Env) error { return newFolder(l, env) },
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Getuid() == 0, nil
			case "namespaces":
				return exec.Command("unshare", "--user", "--map-root-user", "--mount", "--net", "true").Run() == nil, nil
			}
			return false, errors.New("there is no such condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ends": endsInFolder, "untouched": untouchedFolder, "hold": holdPorts, "expand": expand, "expired-ca": expiredCA,
		},
	})
}

// endsAtOnce is a component that says its version and does nothing else.
const endsAtOnce = "#!/bin/sh\n[ \"$1\" = --version ] && echo Kubernetes " + lab.Default + "\n"

// newFolder lays out the folder of a script.
func newFolder(l lab.Lab, env *testscript.Env) error {
	programs, err := filepath.Abs("testdata/script/rootless/bin")
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(env.WorkDir, name) }
	env.Setenv("PATH", programs+":"+filepath.Dir(l.Tripod())+":"+os.Getenv("PATH"))
	env.Setenv("XDG_STATE_HOME", in("state"))
	env.Setenv("BIN", in("bin"))
	env.Setenv("ADDRESS", fmt.Sprintf("127.%d.%d.%d", 128+rand.IntN(127), rand.IntN(256), 1+rand.IntN(254)))
	env.Values[folderKey{}] = &folder{path: env.WorkDir}
	env.Defer(func() { downAll(l, in("state")) })
	var errs []error
	for _, dir := range []string{"bin", "state", "machine/etc", "machine/var/lib"} {
		errs = append(errs, os.MkdirAll(in(dir), 0o755))
	}
	for _, component := range componentNames {
		errs = append(errs, os.WriteFile(in("bin/"+component), []byte(endsAtOnce), 0o755))
	}
	return errors.Join(errs...)
}

// downAll takes down the sandboxes that should have been refused and were not.
func downAll(l lab.Lab, state string) {
	agents, _ := filepath.Glob(filepath.Join(state, "tripod/sandboxes/*/m1/agent"))
	for _, agent := range agents {
		cmd := exec.Command(l.Tripod(), "sandbox", "down", "--name", filepath.Base(filepath.Join(agent, "../..")))
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
		_ = cmd.Run()
	}
}

// folder is all that a script has on disk, and what was there before its last command.
type folder struct {
	path   string
	before map[string]string
}

type folderKey struct{}

func folderOf(ts *testscript.TestScript) *folder { return ts.Value(folderKey{}).(*folder) }

// files describes everything in the folder by path.
func (f *folder) files() (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			found[path], err = describe(path, entry)
		}
		if errors.Is(err, fs.ErrPermission) {
			found[path], err = "not to be read", nil
		}
		return err
	})
	return found, err
}

func endsInFolder(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	f := folderOf(ts)
	f.before, err = f.files()
	ts.Check(err)
	if code := exitCode(ts.Exec(args[1], args[2:]...)); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func untouchedFolder(ts *testscript.TestScript, _ bool, _ []string) {
	f := folderOf(ts)
	after, err := f.files()
	ts.Check(err)
	if diff := cmp.Diff(f.before, after); diff != "" {
		ts.Fatalf("files changed (-before +after):\n%s", diff)
	}
}

func holdPorts(ts *testscript.TestScript, _ bool, args []string) {
	for _, port := range args {
		listener, err := net.Listen("tcp", net.JoinHostPort(ts.Getenv("ADDRESS"), port))
		ts.Check(err)
		ts.Defer(func() { listener.Close() })
	}
	ts.Setenv("HOLDER", strconv.Itoa(os.Getpid()))
}

func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}
