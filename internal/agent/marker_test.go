package agent

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// The process of another user may claim to be a pod of this agent, and is left alone.
func TestForgedMarker(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("it takes root to have a process of another user")
	}
	l := newLab(t)
	start := func(uid uint32, hash string) int {
		cmd := exec.Command("/bin/sleep", "60")
		mark := marker{Manifests: l.options.Manifests, Pod: "kube-system/etcd", Container: "etcd", Hash: hash, Log: "/nonexistent/0.log"}
		cmd.Env, cmd.Dir = []string{mark.String()}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd.Process.Pid
	}
	forged := start(65534, "forged")
	genuine := start(0, "genuine")
	found, err := scan(l.options.Manifests)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the container", containers(found)["kube-system/etcd"].pid, genuine)
	equal(t, "alive", []bool{alive(forged), alive(genuine)}, []bool{true, true})
}
