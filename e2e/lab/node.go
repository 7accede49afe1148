package lab

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed node.sh
var nodeScript string

// Machine says what a [Node] is like. Its zero value is a machine of the default version.
type Machine struct {
	Version   string     // Kubernetes version of its kubelet, tools and images; "" is Default
	Name      string     // host name; "" is "master"
	Addr      netip.Addr // its address; zero is 10.88.0.2. It may be the same on all nodes that do not see each other
	Network   *Network   // where it sees other nodes, those of other addresses; nil is a network of its own
	NoKubelet bool       // nobody keeps a kubelet running
	NoImages  bool       // containerd starts empty
}

// Node is one machine of its own: mount, network, PID, UTS and IPC namespaces, private /etc, /var, /opt and /run, a
// running containerd with the images of its version, and somebody who runs the kubelet once its files are there.
type Node struct {
	Machine
	lab  Lab
	dir  scratch
	pid  int
	init *exec.Cmd
	life io.Closer // the node's first process ends when this is closed
}

// Start starts a machine and returns once its containerd answers. The caller closes it.
func (l Lab) Start(ctx context.Context, m Machine) (*Node, error) {
	if err := RaiseWatchers(); err != nil {
		return nil, err
	}
	dir, err := l.newScratch("node")
	if err != nil {
		return nil, err
	}
	n := &Node{Machine: m.withDefaults(), lab: l, dir: dir}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start node %s: %w", n.Name, err), n.Close())
	}
	return n, nil
}

func (m Machine) withDefaults() Machine {
	if m.Version == "" {
		m.Version = Default
	}
	if m.Name == "" {
		m.Name = "master"
	}
	if !m.Addr.IsValid() {
		m.Addr = netip.AddrFrom4([4]byte{10, 88, 0, 2})
	}
	return m
}

func (n *Node) start(ctx context.Context) error {
	if !n.NoImages {
		if err := n.lab.shareImages(ctx, n.Version, filepath.Join(n.dir.path, "disk/var/lib/containerd")); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{"containerd.toml": containerdConfig(n.dir.path), "node.sh": nodeScript} {
		if err := os.WriteFile(filepath.Join(n.dir.path, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := makeControlGroup(n.controlGroup()); err != nil {
		return err
	}
	return n.boot(ctx)
}

// boot runs the node's first process and waits for its word that the machine is up.
func (n *Node) boot(ctx context.Context) error {
	stdin, life, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	n.life = life
	var complaint strings.Builder
	n.init = exec.Command("bash", filepath.Join(n.dir.path, "node.sh"))
	n.init.Env = append(os.Environ(), n.environment()...)
	n.init.Stdin, n.init.Stderr = stdin, &complaint
	n.init.WaitDelay = waitDelay
	if n.Network != nil {
		n.init.ExtraFiles = []*os.File{n.Network.namespace}
	}
	n.init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	stdout, err := n.init.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.init.Start(); err != nil {
		return fmt.Errorf("%w (this needs root)", err)
	}
	n.pid = n.init.Process.Pid
	stop := context.AfterFunc(ctx, func() { _ = n.init.Process.Kill() })
	defer stop()
	if word, _ := bufio.NewReader(stdout).ReadString('\n'); word != "ready\n" {
		err := n.init.Wait()
		n.pid = 0
		return fmt.Errorf("its first process ended: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return nil
}

func (n *Node) environment() []string {
	flags := ""
	if !n.NoKubelet {
		flags = strings.Join(kubeletFlags(n.controlGroup()), " ")
	}
	network := ""
	if n.Network != nil {
		network = "/proc/self/fd/3"
	}
	return []string{
		"NETWORK=" + network, "DIR=" + n.dir.path, "NAME=" + n.Name, "ADDRESS=" + n.Addr.String(),
		"TOOLS=" + n.lab.tools(n.Version), "KUBELET_LAB_FLAGS=" + flags,
	}
}

// Path is where the test finds a file of the node, given by the path that it has in there.
func (n *Node) Path(inside string) string {
	return filepath.Join("/proc", fmt.Sprint(n.pid), "root", inside)
}

// Command prepares a command to run on the node. Its resource usage is that of nsenter and of what nsenter ran.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{"--target", fmt.Sprint(n.pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--", name}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+n.lab.tools(n.Version)+":"+os.Getenv("PATH"), "KUBECONFIG=/etc/kubernetes/admin.conf")
	cmd.Cancel = func() error { return Kill(cmd) }
	cmd.WaitDelay = waitDelay
	return cmd
}

// Run runs a command on the node and returns what it printed, both streams together.
func (n *Node) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := n.Command(ctx, name, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Kubectl runs kubectl on the node with its admin.conf.
func (n *Node) Kubectl(ctx context.Context, args ...string) (string, error) {
	return n.Run(ctx, "kubectl", args...)
}

// Close ends everything that runs on the machine and removes what it left: control groups and folders.
func (n *Node) Close() error {
	return errors.Join(n.PowerOff(), n.dir.remove())
}

func (n *Node) controlGroup() string { return n.dir.controlGroup() }

// HealthURLs are where the components of a master on this node say, from within, whether they are ready.
func (n *Node) HealthURLs() URLs { return HealthURLs(n.Addr.String(), "127.0.0.1") }

// Hold has a process of somebody else's on the node listen on an address, and returns once it does. It ends with the
// node.
func (n *Node) Hold(ctx context.Context, address string) error {
	cmd := n.Command(ctx, "hold", address)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return fmt.Errorf("hold %s: %w %s", address, err, line)
	}
	go func() { _ = cmd.Wait() }()
	return nil
}
