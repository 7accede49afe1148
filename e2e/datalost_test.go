package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// An etcd whose data have vanished is not started on nothing, by whoever runs its pod and without tripod's help: as a cluster
// of its own it would stand in the place of the one that was. tripod refuses to begin one, too; with its data back it is there again.
func TestEtcdDataVanish(t *testing.T) {
	t.Parallel()
	t.Run("sandbox", sandboxDataVanish)
	if drill() {
		t.Run("kubelet", kubeletDataVanish) // which takes its time to start an ended etcd again
	}
}

func kubeletDataVanish(t *testing.T) {
	n := newNode(t, lab.Machine{})
	must(t)(n.Run(t.Context(), "tripod", lab.TripodInit(n.Version)...))
	writeConfigMap(t, n.Kubectl, "kept")
	etcd := strings.TrimSpace(must(t)(n.Run(t.Context(), "pidof", "etcd")))
	must(t)(n.Run(t.Context(), "sh", "-c", "mkdir /var/lib/kept && mv /var/lib/etcd/* /var/lib/kept/ && kill -9 "+etcd))
	wantNoEtcd(t, n)
	out, err := n.Run(t.Context(), "tripod", lab.TripodInit(n.Version)...)
	if exitCode(err) != 3 || !strings.Contains(out, "/var/lib/etcd is empty, and this master is member ") || !strings.Contains(out, "tripod reset") {
		t.Errorf("exit code %d, want 3\n%s", exitCode(err), out)
	}
	must(t)(n.Run(t.Context(), "sh", "-c", "rm -r /var/lib/etcd/* && mv /var/lib/kept/* /var/lib/etcd/"))
	must(t)(n.Run(t.Context(), "tripod", lab.TripodInit(n.Version)...))
	wantConfigMap(t, n.Kubectl, "kept")
}

// wantNoEtcd wants no etcd to run for longer than the kubelet takes to start an ended container again.
func wantNoEtcd(t *testing.T, n *lab.Node) {
	t.Helper()
	until(t, "the kubelet notices that etcd has ended", func(ctx context.Context) error {
		_, err := n.Run(ctx, "grep", "-q", "not a directory\\|hostPath type check failed", "/var/log/kubelet.log")
		return err
	})
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(200 * time.Millisecond) {
		if pid, err := n.Run(t.Context(), "pidof", "etcd"); err == nil {
			t.Fatalf("etcd runs on an empty directory: %s", pid)
		}
	}
}

func sandboxDataVanish(t *testing.T) {
	s := newSandbox(t, "vanish", lab.Default)
	pid := running(t, s)["etcd"].PID
	data := filepath.Join(s.Folder(), "m1", "var/lib/etcd")
	if err := os.Rename(filepath.Join(data, "member"), filepath.Join(s.Folder(), "kept")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent does not start etcd", func(context.Context) error {
		now := running(t, s)["etcd"]
		if now.State == "running" {
			return errors.New("it runs, pid " + strconv.Itoa(now.PID))
		}
		return nil
	})
	out, err := s.Run(t.Context(), "up")
	if exitCode(err) != 3 || !strings.Contains(out, "is empty, and this master is member ") {
		t.Errorf("exit code %d, want 3\n%s", exitCode(err), out)
	}
	if now := running(t, s)["etcd"]; now.State == "running" {
		t.Errorf("etcd runs on an empty directory: %s", fmt.Sprint(now))
	}
	if err := os.Rename(filepath.Join(s.Folder(), "kept"), filepath.Join(data, "member")); err != nil {
		t.Fatal(err)
	}
	must(t)(s.Run(t.Context(), "up"))
	wantReady(t, s.Kubectl)
}
