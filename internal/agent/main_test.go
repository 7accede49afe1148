package agent

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// roleVariable makes the test binary play a part instead of running tests.
const roleVariable = "TRIPOD_TEST_ROLE"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(playAgent(os.Args[2:]))
	}
	if role, ok := os.LookupEnv(roleVariable); ok {
		os.Exit(play(role, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// play is the program of the test pods.
func play(role string, args []string) int {
	switch role {
	case "sleep": // until SIGTERM
		return sleep()
	case "stubborn": // until SIGKILL
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("stubborn")
		select {}
	case "exit": // with args[0], after some lines
		for i := range 30 {
			fmt.Println("line", i)
		}
		code, _ := strconv.Atoi(args[0])
		return code
	case "env": // prints arguments, working directory and environment
		dir, _ := os.Getwd()
		fmt.Println(strings.Join(args, "|"))
		fmt.Println(dir)
		fmt.Println(strings.Join(os.Environ(), "\n"))
		return sleep()
	case "serve": // HTTP on args[0]; the status is the content of the file args[1]/PATH, 200 if there is none
		return serveStatus(args[0], args[1])
	case "family": // a child in a session of its own, which outlives this process unless it is swept
		return family()
	}
	return 99
}

func sleep() int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	return 0
}

func serveStatus(address, dir string) int {
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(filepath.Join(dir, r.URL.Path))
		status, err2 := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil || err2 != nil {
			status = 200
		}
		w.WriteHeader(status)
	}))
	fmt.Println(err)
	return 1
}

func family() int {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), roleVariable+"=stubborn")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return 98
	}
	fmt.Println("child", child.Process.Pid)
	return sleep()
}

// playAgent is `tripod agent`.
func playAgent(args []string) int {
	o := Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "--manifests":
			o.Manifests = value
		case "--bin-dir":
			o.BinDir = value
		case "--state":
			o.State = value
		case "--socket":
			o.Socket = value
		case "--stop-pods-on-exit":
			o.StopPodsOnExit = true
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// lab is a manifest directory with its agent.
type lab struct {
	t       *testing.T
	options Options
	Client
	dir string
}

// newLab makes the directories; whatever runs for them is gone after the test.
func newLab(t *testing.T) *lab {
	t.Helper()
	// t.TempDir has the test's name in it, which is too long for a socket.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: dir, options: Options{
		Manifests: filepath.Join(dir, "manifests"), BinDir: filepath.Join(dir, "bin"), State: filepath.Join(dir, "state"),
	}}
	for _, d := range []string{l.options.Manifests, l.options.BinDir, l.options.State} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(exe, filepath.Join(l.options.BinDir, "program")); err != nil {
		t.Fatal(err)
	}
	l.Client.Socket = filepath.Join(l.options.State, "agent.sock")
	l.options.Socket = l.Client.Socket
	t.Cleanup(l.clean)
	return l
}

// clean kills by handle whatever carries the mark of this lab.
func (l *lab) clean() {
	found, err := scan(l.options.Manifests)
	if err != nil {
		l.t.Error(err)
	}
	for _, m := range found {
		m.kill()
	}
	if err := os.RemoveAll(l.dir); err != nil {
		l.t.Error(err)
	}
}

// run runs an agent in this process; leave ends it and leaves its pods.
func (l *lab) run() (leave func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, l.options) }()
	l.eventually("the agent answers", func() bool { return l.Alive(ctx) == nil })
	ended := false
	leave = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	}
	l.t.Cleanup(leave)
	return leave
}

// manifest is a pod of one container; spec and container are YAML at their level, may be empty.
func manifest(name, role, container, spec string) string {
	text := fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  name: %s
  namespace: kube-system
  annotations:
    tripod.dev/revision: r-%s
spec:
  hostNetwork: true
  containers:
  - name: %s
    image: example/%s:v1
    command: [program]
    env:
    - {name: %s, value: %s}
`, name, name, name, name, roleVariable, role)
	return text + indent(container, 4) + indent(spec, 2)
}

func indent(text string, by int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Repeat(" ", by) + strings.TrimSuffix(line, "\n") + "\n")
	}
	return out.String()
}

// put renames a manifest into the directory.
func (l *lab) put(name, text string) {
	l.t.Helper()
	staged := filepath.Join(l.options.Manifests, "."+name)
	if err := os.WriteFile(staged, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Rename(staged, filepath.Join(l.options.Manifests, name)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) remove(name string) {
	l.t.Helper()
	if err := os.Remove(filepath.Join(l.options.Manifests, name)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) eventually(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			state, err := l.State(context.Background())
			l.t.Fatalf("not within 20 s: %s\nstate: %+v %v", what, state, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// container is the state of a pod's container, the zero one if there is none.
func (l *lab) container(name string) ContainerState {
	l.t.Helper()
	state, err := l.State(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range state.Pods {
		if p.Name == name && p.Container != nil {
			return *p.Container
		}
	}
	return ContainerState{}
}

// running waits until the pod runs after so many restarts.
func (l *lab) running(name string, restarts int) ContainerState {
	l.t.Helper()
	var c ContainerState
	l.eventually(fmt.Sprintf("%s runs after %d restarts", name, restarts), func() bool {
		c = l.container(name)
		return c.State == "running" && c.Restarts == restarts && c.Reason == ""
	})
	return c
}

// logged waits for a line with that beginning in the container's log, and returns the rest of it. By then signals are handled.
func (l *lab) logged(name, prefix string) (rest string) {
	l.t.Helper()
	l.eventually(name+" logs "+prefix, func() bool {
		f, err := os.Open(l.container(name).Log)
		if err != nil {
			return false
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if after, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				rest = after
				return true
			}
		}
		return false
	})
	return rest
}

func (l *lab) gone(pid int) {
	l.t.Helper()
	l.eventually(fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
}

// alive is false for a zombie.
func alive(pid int) bool {
	h, err := open(pid)
	if err != nil {
		return false
	}
	defer h.close()
	return !h.gone()
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("kill %d", pid)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
