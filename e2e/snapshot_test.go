package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// snapshot lists what a master has on disk: mode, link target and digest by path. The journal, which tells of every
// run, is not among it, and neither is what the kubelet and etcd write for themselves.
func snapshot(t *testing.T, n *lab.Node) map[string]string {
	t.Helper()
	out := must(t)(n.Run(t.Context(), "sh", "-c", `
		cd /
		for path in etc/kubernetes var/lib/tripod var/lib/kubelet/config.yaml var/lib/kubelet/instance-config.yaml \
			var/lib/kubelet/kubeadm-flags.env var/lib/kubelet/pki var/lib/etcd; do
			[ ! -e $path ] || find $path -path var/lib/etcd/member -prune -o -path 'var/lib/tripod/*' -prune -o -printf '%p\t%m %l ' -exec sh -c '[ ! -f "$1" ] || sha256sum <"$1"' - {} \; -printf '\n'
		done`))
	files := map[string]string{}
	path := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if name, rest, ok := strings.Cut(line, "\t"); ok {
			path, line = name, rest
		}
		files[path] += line
	}
	return files
}

func wantSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("files changed (-before +after):\n%s", diff)
	}
}
