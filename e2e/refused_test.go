package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// What would never come up on a kubelet, or not stay, is refused before anything is written.
func TestRefused(t *testing.T) {
	n := newNode(t, lab.Machine{})
	for name, tt := range map[string]struct {
		patch string
		code  int
		words []string
	}{
		"probes turned away": {`[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--anonymous-auth=false"}]`,
			2, []string{"anonymous-auth=false: the kubelet probes it", "AuthenticationConfiguration"}},
		"a volume without its source": {`[{"op": "add", "path": "/spec/volumes/-", "value": {"name": "audit", "hostPath": {"path": "/etc/nowhere", "type": "File"}}}]`,
			3, []string{"/etc/nowhere is not there, and kube-apiserver mounts it (volume audit, pathType File)"}},
		"a policy that no volume has": {`[{"op": "add", "path": "/spec/containers/0/command/-", "value": "--audit-policy-file=/etc/policy.yaml"}]`,
			3, []string{"none of kube-apiserver's volumes has /etc/policy.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "kube-apiserver+json.json"), []byte(tt.patch), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := n.Run(t.Context(), "tripod", append(lab.TripodInit(n.Version), "--patches="+dir)...)
			if code := exitCode(err); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			wantCause(t, out, tt.words...)
			if out, err := n.Run(t.Context(), "ls", "/etc/kubernetes/pki"); err == nil {
				t.Errorf("something was written: %s", out)
			}
		})
	}
}
