package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// An etcd member whose data have gone wrong is found out before anything is stopped: in its restart it would fail its own check,
// and the others would go on with what it holds.
func TestUpgradeCorrupt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	s := upOld(t, l, "corrupt", 3)
	marker := strings.Repeat("intact", 20)
	writeConfigMap(t, s.Kubectl, marker)
	time.Sleep(time.Second) // etcd writes to its database ten times a second
	tamper(t, filepath.Join(s.Folder(), "m3", "var/lib/etcd/member/snap/db"), marker)
	out, err := s.Run(t.Context(), "upgrade", "--to", lab.Default, "--bin-dir", l.Components(lab.Default))
	t.Log(out)
	if code := exitCode(err); code != unfit {
		t.Errorf("exit code %d, want %d", code, unfit)
	}
	wantSays(t, out, "[EtcdData]", "corrupt-m3")
	wantSandboxOf(t, l, s, 3, lab.PreviousMinor)
}

// An etcd whose data have gone wrong after they were compared fails its own check when it starts. What ran before, which does
// not check, comes back, and the cause is named: whoever has looked can then take the member out.
func TestUpgradeCorruptLate(t *testing.T) {
	t.Parallel()
	drillOnly(t)
	m := newMasters(t, "tripod")
	for number := range byte(2) {
		m.join(t, "tripod", m.machine(t, 2+number))
	}
	n, marker := m.nodes[2], strings.Repeat("intact", 20)
	writeConfigMap(t, n.Kubectl, marker)
	checked := func(check string) []string {
		document := "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration, etcd: {local: {extraArgs: [{name: feature-gates, value: InitialCorruptCheck=" + check + "}]}}}"
		if err := os.WriteFile(n.Path("/var/cluster.yaml"), []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"apply", "-f", "/var/cluster.yaml", "--yes", ignored}
	}
	m.quorum.Leave(n) // its own etcd is taken away
	t.Log(must(t)(n.Run(t.Context(), "tripod", checked("false")...)))
	was := must(t)(n.Run(t.Context(), "cat", "/etc/kubernetes/manifests/etcd.yaml"))

	killed := n.Command(t.Context(), "tripod-killpoint", checked("true")...)
	killed.Env = append(killed.Env, "TRIPOD_KILL_AT=changed in control-plane/stop")
	if out, err := output(killed); exitCode(err) != -1 {
		t.Fatalf("tripod was not killed: %v\n%s", err, out)
	}
	tamper(t, n.Path("/var/lib/etcd/member/snap/db"), marker)
	out, err := n.Run(t.Context(), "tripod", checked("true")...)
	t.Log(out)
	if code := exitCode(err); code != notHealthy {
		t.Errorf("exit code %d, want %d", code, notHealthy)
	}
	wantSays(t, out, "found data inconsistency with peers", "restored: the earlier etcd is back and healthy")
	if now := must(t)(n.Run(t.Context(), "cat", "/etc/kubernetes/manifests/etcd.yaml")); now != was {
		t.Errorf("etcd is not what it was:\n%s", now)
	}
	wantReady(t, n.Kubectl)
	m.wantNothingLost(t)
}

// tamper changes a text wherever it is in a database. The process that has it open sees that.
func tamper(t *testing.T, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	places := 0
	for at := 0; ; places++ {
		i := bytes.Index(data[at:], []byte(text))
		if i < 0 {
			break
		}
		at += i
		if _, err := f.WriteAt(bytes.Repeat([]byte("x"), len(text)), int64(at)); err != nil {
			t.Fatal(err)
		}
		at += len(text)
	}
	if places == 0 {
		t.Fatalf("%s does not hold %s", path, text)
	}
}

// A disk that gets full is found out before anything is stopped.
func TestUpgradeFullDisk(t *testing.T) {
	t.Parallel()
	n := oldMaster(t, "tripod")
	must(t)(n.Run(t.Context(), "sh", "-c", `set -e; cp -a /etc/kubernetes /var/kubernetes; mount -t tmpfs -o size=1m tmpfs /etc/kubernetes
		cp -a /var/kubernetes/. /etc/kubernetes/; dd if=/dev/zero of=/etc/kubernetes/full bs=4k 2>/dev/null || true`))
	before := map[string]string{}
	for _, component := range componentNames {
		before[component] = must(t)(pidOnNode(t.Context(), n, component))
	}
	for more, says := range map[string]string{"": "[DiskSpace]", ",DiskSpace": "no space left on device\nhint: nothing was written; make room on the disk of /etc/kubernetes"} {
		out, err := n.Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--yes", ignored+more)
		if code := exitCode(err); code != unfit {
			t.Errorf("exit code %d, want %d", code, unfit)
		}
		wantSays(t, out, says)
	}
	for component, pid := range before {
		if now := must(t)(pidOnNode(t.Context(), n, component)); now != pid {
			t.Errorf("%s was %s, now %s", component, pid, now)
		}
	}
	must(t)(n.Run(t.Context(), "rm", "/etc/kubernetes/full"))
	must(t)(n.Run(t.Context(), "tripod", "upgrade", "apply", lab.Default, "--yes", ignored+",DiskSpace"))
	until(t, "ready", func(ctx context.Context) error { return ready(ctx, n.Kubectl) })
	wantUpgraded(t, n, lab.Default)
}
