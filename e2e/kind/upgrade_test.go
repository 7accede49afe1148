package kind_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

// A cluster of kind's with three control planes is upgraded from within its nodes, as kubeadm's would be, whoever has made it.
func TestKindUpgrade(t *testing.T) {
	if !drill() {
		t.Skip("a drill")
	}
	l, engine := engine(t)
	for name, first := range map[string]kind.Recipe{"tripod": {Version: lab.PreviousMinor}, "kubeadm": {Version: lab.PreviousMinor, Kubeadm: true}} {
		t.Run("made by "+name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			defer cancel()
			c := kind.Cluster{
				Name: "upgrade-" + strings.ToLower(rand.Text()[:4]), Image: image(ctx, t, l, engine, first),
				Masters: 3, Wait: 2 * time.Minute, Lab: l, Engine: engine, Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"),
			}
			create(ctx, t, c)
			for number := range c.Masters {
				node := c.Node("control-plane", number+1)
				_, err := engine.Run(ctx, "cp", l.Tripod(), node+":/usr/local/bin/tripod")
				must(t, err)
				args := []string{"exec", node, "tripod", "upgrade", "node", "--ignore-preflight-errors=SystemVerification,NumCPU,Mem,Swap"}
				if number == 0 {
					args = []string{"exec", node, "tripod", "upgrade", "apply", lab.Default, "--yes", "--ignore-preflight-errors=SystemVerification,NumCPU,Mem,Swap"}
				}
				began := time.Now()
				out, err := engine.Run(ctx, args...)
				t.Logf("%s after %s\n%s", node, time.Since(began), out)
				must(t, err)
			}
			wantUpgraded(ctx, t, c)
			mastersWork(ctx, t, c)
		})
	}
}

// wantUpgraded wants the control plane of every node, and kube-proxy, to be of the newest version.
func wantUpgraded(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	images := kubectl(ctx, t, c, "get", "pods", "--namespace=kube-system", "--selector=tier=control-plane", "--output=jsonpath={.items[*].spec.containers[*].image}") + " " +
		kubectl(ctx, t, c, "get", "daemonset", "kube-proxy", "--namespace=kube-system", "--output=jsonpath={.spec.template.spec.containers[*].image}")
	if strings.Contains(images, lab.PreviousMinor) || strings.Count(images, ":"+lab.Default) != 3*c.Masters+1 {
		t.Errorf("the images are %s", images)
	}
}
