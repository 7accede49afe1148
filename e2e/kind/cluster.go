package kind

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/lab"
)

// Versions of kind: the newest, and an older one, which writes v1beta3 documents whatever the version of Kubernetes.
const (
	Newest = "v0.33.0"
	Older  = "v0.30.0"
)

// Cluster is a cluster that an unmodified kind makes, or has made.
type Cluster struct {
	Name        string // "" is "tripod"
	Kind        string // kind's version; "" is Newest
	Image       string // of its nodes; see Image
	Masters     int    // 0 is 1
	SecondImage string // of every second master's node; "" is Image
	Workers     int
	WorkerImage string        // of the workers' nodes; "" is Image
	Wait        time.Duration // how long Create waits for the masters to be Ready; 0 is not at all
	Kubeconfig  string        // the file that gets the administrator's access; "" is bin/e2e/kind/NAME.kubeconfig

	Lab    lab.Lab
	Engine *docker.Engine
}

// Create creates the cluster. What kind says goes to w; nil: only in the error, if there is one.
func (c Cluster) Create(ctx context.Context, w io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(c.KubeconfigFile()), 0o755); err != nil {
		return err
	}
	if err := c.Balancer(ctx); err != nil {
		return err
	}
	cmd := c.Command(ctx, "create", "cluster", "--name", c.name(), "--kubeconfig", c.KubeconfigFile(), "--wait", c.Wait.String(), "--config", "-")
	cmd.Stdin = strings.NewReader(c.config())
	return run(cmd, w)
}

// Delete removes the cluster. It is no error if there is none.
func (c Cluster) Delete(ctx context.Context) error {
	remove := func() error {
		return c.Run(ctx, "delete", "cluster", "--name", c.name(), "--kubeconfig", c.KubeconfigFile())
	}
	if err := remove(); err == nil {
		return nil
	}
	if err := c.Engine.Thaw(ctx, "io.x-k8s.kind.cluster="+c.name()); err != nil {
		return err
	}
	return remove()
}

// Run runs a kind command.
func (c Cluster) Run(ctx context.Context, args ...string) error {
	return run(c.Command(ctx, args...), nil)
}

// Command prepares a kind command.
func (c Cluster) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.Lab.Components("kind"), c.version(), "kind"), args...)
	cmd.Env = c.Engine.Environ()
	return cmd
}

// Kubectl runs kubectl of the default version against the cluster and returns what it printed.
func (c Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	kubectl := c.Lab.Component(lab.Default, "kubectl")
	out, err := exec.CommandContext(ctx, kubectl, append([]string{"--kubeconfig", c.KubeconfigFile()}, args...)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// KubeconfigFile is where the administrator's kubeconfig is.
func (c Cluster) KubeconfigFile() string {
	if c.Kubeconfig != "" {
		return c.Kubeconfig
	}
	return filepath.Join(c.Lab.Root, "bin", "e2e", "kind", c.name()+".kubeconfig")
}

// Node is the container of a node: role is "control-plane" or "worker", number counts from 1.
func (c Cluster) Node(role string, number int) string {
	if number == 1 {
		return c.name() + "-" + role
	}
	return fmt.Sprintf("%s-%s%d", c.name(), role, number)
}

func (c Cluster) version() string { return cmp.Or(c.Kind, Newest) }

func (c Cluster) name() string {
	if c.Name == "" {
		return "tripod"
	}
	return c.Name
}

// config is kind's configuration: nothing but the nodes. They name their images: kind's --image would replace them all.
func (c Cluster) config() string {
	node := func(role, image string) string { return "- role: " + role + "\n  image: " + image + "\n" }
	config := "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n"
	for i := range max(1, c.Masters) {
		config += node("control-plane", [...]string{c.Image, cmp.Or(c.SecondImage, c.Image)}[i%2])
	}
	return config + strings.Repeat(node("worker", cmp.Or(c.WorkerImage, c.Image)), c.Workers)
}

// run runs a command and shows what it says, or puts it into the error.
func run(cmd *exec.Cmd, w io.Writer) error {
	if w != nil {
		cmd.Stdout, cmd.Stderr = w, w
		return cmd.Run()
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[:min(3, len(cmd.Args))], " "), err, out)
	}
	return nil
}
