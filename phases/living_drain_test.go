package phases

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/host"
)

// slowly is the variable that has TestSlowServer be a server, and how long it takes for an answer.
const slowly = "TRIPOD_TEST_SLOW_SERVER"

// TestSlowServer is no test, but a program that does as an apiserver that is about to end: it does not listen any more when it
// is asked something, answers that, and stays, for those who watch.
func TestSlowServer(t *testing.T) {
	takes, err := time.ParseDuration(os.Getenv(slowly))
	if err != nil {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.Addr())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	time.Sleep(takes)
	_, _ = io.WriteString(conn, "answered\n")
	time.Sleep(time.Hour)
}

// oneProcess is a runner of one process.
type oneProcess struct{ pid int }

func (o oneProcess) Start(context.Context) error { return nil }
func (o oneProcess) Alive(context.Context) error { return nil }
func (o oneProcess) Pod(context.Context, string) (host.Running, error) {
	return host.Running{PID: o.pid, State: host.Started}, nil
}

// An apiserver that is taken away answers what it has been asked before, then it is ended, whoever watches.
func TestCutOffWaitsForAnswers(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSlowServer$")
	cmd.Env = append(os.Environ(), slowly+"=2s")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	s := grown(t, "")
	m := s.living(t)
	m.Living.Was.Advertise = netip.MustParseAddrPort(strings.TrimSpace(address))
	m.Living.Manifests = map[string][]byte{"kube-apiserver": []byte("spec: {containers: [{command: [kube-apiserver]}]}")} // without the flag
	var told []string
	site := Site{Host: s.site.Host, Runner: oneProcess{cmd.Process.Pid}, tell: func(reason string) { told = append(told, reason) }}
	site.cutOff(t.Context(), m)
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer != "answered\n" {
		t.Errorf("cut off: %q, %v", answer, err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it has ended by %v", err)
	}
	expect(t, []string{"the apiserver ends, and with it its connections (1): of who watches, and of what is not answered yet"}, told)
}
