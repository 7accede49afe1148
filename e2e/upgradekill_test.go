package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/lab"
)

// upgradeKilledQuick are the boundaries that an upgrade is killed at where there is no time for all of them: nothing of the
// control plane has a manifest; the new etcd runs, and no apiserver.
var upgradeKilledQuick = [...]string{"changed in control-plane/stop", "done control-plane/etcd"}

// tripod upgrade can be killed at any boundary between its steps and at any moment: run again it ends with the new version,
// or, told to go back, with the old one. History tells.
func TestKillUpgrade(t *testing.T) {
	t.Parallel()
	n := oldMaster(t, "tripod")
	writeConfigMap(t, n.Kubectl, "kept")
	list := filepath.Join(t.TempDir(), "boundaries")
	if drill() { // what is found the first time is known from the second on: one boundary less
		must(t)(output(upgradeCommand(t.Context(), n)))
		wentBack(t, n, generations(t, n)[1].Revisions)
	}
	must(t)(output(upgradeCommand(t.Context(), n, "TRIPOD_KILL_LIST="+list)))
	all := boundaries(t, list)
	t.Logf("%d boundaries", len(all))
	old := generations(t, n)[1].Revisions
	wentBack(t, n, old)
	for i, name := range all {
		_, name, _ = strings.Cut(name, " ")
		if !drill() && !slices.Contains(upgradeKilledQuick[:], name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			out, err := output(upgradeCommand(t.Context(), n, fmt.Sprintf("TRIPOD_KILL_AT=%d", i+1)))
			if exitCode(err) != -1 {
				t.Fatalf("tripod was not killed: %v\n%s", err, out)
			}
			wantUpgradeEnds(t, n, old, i%2 == 1)
		})
	}
	for i := range 20 {
		if moment := rand.N(8 * time.Second); drill() {
			t.Run(moment.String(), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), moment)
				defer cancel()
				_ = upgradeCommand(ctx, n).Run()
				wantUpgradeEnds(t, n, old, i%2 == 1)
			})
		}
	}
	wantConfigMap(t, n.Kubectl, "kept")
}

// wantUpgradeEnds goes on with an upgrade that was killed, or goes back at once, and in the end is back.
func wantUpgradeEnds(t *testing.T, n *lab.Node, old map[string]string, back bool) {
	t.Helper()
	if !back {
		t.Log(must(t)(output(upgradeCommand(t.Context(), n))))
		wantUpgraded(t, n, lab.Default)
		wantReady(t, n.Kubectl)
		wantNothingStaged(t, n)
		if last := generations(t, n)[0]; last.Verdict != "healthy" || last.Version != lab.Default {
			t.Errorf("history ends with %+v", last)
		}
	}
	wentBack(t, n, old)
}

// wentBack takes a master back to the revisions, whatever runs, and proves it.
func wentBack(t *testing.T, n *lab.Node, old map[string]string) {
	t.Helper()
	i := slices.IndexFunc(generations(t, n), func(g generation) bool {
		return g.Revisions["etcd"] == old["etcd"] && g.Revisions["kube-apiserver"] == old["kube-apiserver"]
	})
	if i < 0 {
		t.Fatalf("nothing is left of %v", old)
	}
	out, err := n.Run(t.Context(), "tripod", "rollback", "--yes", "--to", fmt.Sprint(generations(t, n)[i].Number))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
	wantReady(t, n.Kubectl)
	wantVersion(t, n.Kubectl, lab.PreviousMinor)
	if config := must(t)(n.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}")); !strings.Contains(config, "kubernetesVersion: "+lab.PreviousMinor) {
		t.Errorf("kubeadm-config says\n%s", config)
	}
	until(t, "leases", func(ctx context.Context) error { return ready(ctx, n.Kubectl) })
	if now := generations(t, n)[0]; !strings.Contains("healthy", now.Verdict) {
		t.Errorf("history ends with %+v", now)
	}
}

// upgradeCommand is tripod upgrade by the binary that can kill itself.
func upgradeCommand(ctx context.Context, n *lab.Node, env ...string) *exec.Cmd {
	cmd := n.Command(ctx, "tripod-killpoint", "upgrade", "apply", lab.Default, "--yes", ignored)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// generation is one of tripod history.
type generation struct {
	Number                        int
	Verb, Verdict, Version, Cause string
	Revisions                     map[string]string
}

// generations are those of a master, the newest first.
func generations(t *testing.T, n *lab.Node) []generation {
	t.Helper()
	var all []generation
	if err := json.Unmarshal([]byte(must(t)(n.Run(t.Context(), "tripod", "history", "-o", "json"))), &all); err != nil {
		t.Fatal(err)
	}
	return all
}
