package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// versions are the Kubernetes versions whose binaries are built.
var versions = []string{lab.Default, lab.PreviousMinor}

// newLab finds the checkout, and fails if tripod or the components are not built.
func newLab(t *testing.T) lab.Lab {
	t.Helper()
	l, err := lab.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{l.Tripod(), l.Component(lab.Default, "kubelet"), l.Component(lab.PreviousMinor, "kubelet")} {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%v (run: make build components containerd helpers)", err)
		}
	}
	return l
}

// newNode starts a machine for the test. It skips the test where that is not possible.
func newNode(t *testing.T, m lab.Machine) *lab.Node {
	t.Helper()
	l := newLab(t)
	if why := lab.NoNodes(); why != "" {
		t.Skip("no machine with a kubelet can be made here: " + why)
	}
	n, err := l.Start(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(logs(n))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// logs are the last lines of what runs on a node.
func logs(n *lab.Node) string {
	out, _ := n.Run(context.Background(), "sh", "-c", "tail -n 15 /var/log/kubelet.log /var/log/containerd.log /var/log/pods/*/*/*")
	return out
}

// newSandbox brings a sandbox up for the test.
func newSandbox(t *testing.T, name, version string) *lab.Sandbox {
	t.Helper()
	l := newLab(t)
	s, err := l.NewSandbox(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if out, err := s.Run(t.Context(), "up", "--kubernetes-version", version, "--bin-dir", l.Components(version)); err != nil {
		t.Fatal(err)
	} else {
		t.Log(out)
	}
	return s
}

// must is the output of a command that may not fail.
func must(t *testing.T) func(string, error) string {
	return func(out string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// kubectl runs kubectl against the cluster under test.
type kubectl func(ctx context.Context, args ...string) (string, error)

// componentNames are the four, in the order in which they come up.
var componentNames = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// wantReady wants an apiserver that says it is ready, and that its etcd is.
func wantReady(t *testing.T, k kubectl) {
	t.Helper()
	if err := ready(t.Context(), k); err != nil {
		t.Error(err)
	}
}

func ready(ctx context.Context, k kubectl) error {
	out, err := k(ctx, "get", "--raw=/readyz?verbose")
	for _, want := range []string{"readyz check passed", "[+]etcd ok"} {
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("readyz lacks %q:\n%s", want, out)
		}
	}
	return err
}

// writeConfigMap leaves something in the cluster that must survive.
func writeConfigMap(t *testing.T, k kubectl, value string) {
	t.Helper()
	must(t)(k(t.Context(), "--namespace=default", "create", "configmap", "kept", "--from-literal=value="+value))
}

// wantConfigMap wants it back, as soon as the apiserver answers again.
func wantConfigMap(t *testing.T, k kubectl, value string) {
	t.Helper()
	until(t, "read the ConfigMap", func(ctx context.Context) error {
		out, err := k(ctx, "--namespace=default", "--request-timeout=5s", "get", "configmap", "kept", "--output=jsonpath={.data.value}")
		if err == nil && out != value {
			err = fmt.Errorf("the ConfigMap holds %q, not %q", out, value)
		}
		return err
	})
}

// wantLeases wants the controller-manager and the scheduler to hold their leases.
func wantLeases(t *testing.T, k kubectl) {
	t.Helper()
	until(t, "leases", func(ctx context.Context) error {
		for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
			out, err := k(ctx, "--namespace=kube-system", "--request-timeout=5s", "get", "lease", name, "--output=jsonpath={.spec.holderIdentity}")
			if err != nil {
				return err
			}
			if out == "" {
				return errors.New("nobody holds the lease " + name)
			}
		}
		return nil
	})
}

func until(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	if err := lab.Until(t.Context(), what, condition); err != nil {
		t.Fatal(err)
	}
}

// event is one line of tripod's -o json.
type event struct {
	Event, Phase, Text string
	Seconds            float64
	Time               string
}

// events reads the lines of tripod's -o json.
func events(t *testing.T, out string) []event {
	t.Helper()
	var all []event
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "{") {
			continue // the closing error
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// exitCode is how a command ended, -1 if a signal ended it.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// processesBelow are the command lines of all processes that name a folder.
func processesBelow(t *testing.T, folder string) []string {
	t.Helper()
	return slices.Sorted(maps.Values(commandsBelow(t, folder)))
}

// commandsBelow are they by process ID.
func commandsBelow(t *testing.T, folder string) map[int]string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, file := range files {
		line, _ := os.ReadFile(file)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && strings.Contains(string(line), folder) {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}
