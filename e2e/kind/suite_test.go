package kind_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

// inapplicable are the specs of kubeadm's suite that have nothing to look at: the cluster has one family of addresses.
var inapplicable = []string{
	"[sig-cluster-lifecycle] [area-kubeadm] networking [setup-networking] dual-stack podSubnet should be properly configured if specified in kubeadm-config",
}

// report is what is of interest in a report of ginkgo's.
type report []struct{ SpecReports []spec }

type spec struct {
	ContainerHierarchyTexts           []string
	LeafNodeType, LeafNodeText, State string
	Failure                           struct{ Message string }
}

func (s spec) name() string {
	return strings.Join(append(s.ContainerHierarchyTexts, s.LeafNodeText), " ")
}

// passes runs kubeadm's own suite against a cluster that has workers. Every spec that applies must pass.
func passes(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	// Some specs look at uploaded certificates, and kind has no use for any.
	_, err := c.Engine.Run(ctx, "exec", c.Node("control-plane", 1),
		"kubeadm", "init", "phase", "upload-certs", "--upload-certs", "--config=/kind/kubeadm.conf")
	must(t, err)
	file := filepath.Join(t.TempDir(), "report.json")
	out, failed := exec.CommandContext(ctx, c.Lab.Component(lab.Default, "e2e_kubeadm.test"),
		"--kubeconfig="+c.KubeconfigFile(), "--ginkgo.no-color", "--ginkgo.json-report="+file).CombinedOutput()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %v: %s", err, failed, out)
	}
	var reports report
	must(t, json.Unmarshal(data, &reports))
	passed, skipped := 0, []string(nil)
	for _, s := range reports[0].SpecReports {
		switch {
		case s.State == "passed" && s.LeafNodeType == "It":
			passed++
		case s.State == "skipped":
			skipped = append(skipped, s.name())
		case s.State != "passed":
			t.Errorf("%s %s: %s", s.name(), s.State, s.Failure.Message)
		}
	}
	if diff := cmp.Diff(inapplicable, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if passed == 0 || failed != nil {
		t.Errorf("%d passed: %v: %s", passed, failed, out)
	}
	t.Logf("kubeadm's suite: %d passed, %d skipped", passed, len(skipped))
}
