package e2e

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"tripod.dev/tripod/e2e/lab"
)

// A flag that somebody adds to manifests with an editor, of what is changed under the lock and of what is not, outlives the renewal of certificates; apply names it before it
// goes, and rollback brings it back.
func TestHandEdit(t *testing.T) {
	t.Parallel()
	n := newNode(t, lab.Machine{})
	initMaster(t, n)
	const flag, path = "--v=3", "/etc/kubernetes/manifests/"
	edited := map[string]string{}
	for _, component := range handEdited() {
		edited[component] = flag
		manifest := n.Path(path + component + ".yaml")
		data, err := os.ReadFile(manifest)
		if err == nil {
			text := strings.Replace(string(data), "    - "+component+"\n", "    - "+component+"\n    - "+flag+"\n", 1)
			err = errors.Join(os.WriteFile(n.Path(path+".edited"), []byte(text), 0o600), os.Rename(n.Path(path+".edited"), manifest))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the kubelet runs what was edited", func(ctx context.Context) error {
		return errors.Join(haveFlag(ctx, n, flag), ready(ctx, n.Kubectl))
	})

	diff := must(t)(n.Run(t.Context(), "tripod", "certs", "renew", "all", "--diff"))
	wantSays(t, diff, "+    - "+flag, "kube-scheduler.yaml is not what it was made, and stays so: "+flag)
	t.Log(must(t)(n.Run(t.Context(), "tripod", "certs", "renew", "all")))
	wantFlags(t, n, edited)

	out := must(t)(n.Run(t.Context(), "tripod", "apply", "--yes"))
	wantSays(t, out, "kube-apiserver.yaml is not what it was made, which goes: "+flag)
	if err := haveFlag(t.Context(), n, flag); err == nil {
		t.Error("apply has left what the configuration does not say")
	}
	t.Log(must(t)(n.Run(t.Context(), "tripod", "rollback", "--yes")))
	wantFlags(t, n, edited)
	wantReady(t, n.Kubectl)
}

func handEdited() []string { return []string{"kube-apiserver", "kube-scheduler"} }

// haveFlag is nil if they run with the flag.
func haveFlag(ctx context.Context, n *lab.Node, flag string) error {
	for _, component := range handEdited() {
		pid, err := pidOnNode(ctx, n, component)
		if err != nil {
			return err
		}
		line, err := os.ReadFile(n.Path("/proc/" + pid + "/cmdline"))
		if err != nil {
			return err
		}
		if !strings.Contains(string(line), flag) {
			return errors.New(component + " runs without " + flag)
		}
	}
	return nil
}
