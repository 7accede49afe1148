package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/var/lib/kubelet/config.yaml": "", "/var/lib/kubelets/x": ""})
	line := func(point string) string {
		return "36 35 98:0 / " + h.Path(point) + " rw,noatime master:1 - tmpfs tmpfs rw\n"
	}
	h = layOver(t, h, "/proc/self/mountinfo", line("/")+line("/var/lib/kubelet")+line(`/var/lib/kubelet/pods/a/volumes/token`)+
		line("/var/lib/kubelets/x")+line(`/var/lib/kubelet/pods/b\040c\134d`)+"torn\n")
	below, err := h.MountsBelow("/var/lib/kubelet")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{h.Path("/var/lib/kubelet") + `/pods/b c\d`, h.Path("/var/lib/kubelet/pods/a/volumes/token")}
	if diff := cmp.Diff(want, below); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if below, err := h.MountsBelow("/nowhere"); err != nil || below != nil {
		t.Errorf("%v, %v", below, err)
	}
	err = h.Clear("/var/lib/kubelet")
	if err == nil || !strings.Contains(err.Error(), "is mounted below /var/lib/kubelet\nhint: unmount it") {
		t.Errorf("got %v", err)
	}
	if tree(t, h.Path("/"))["var/lib/kubelet/config.yaml"] != "" {
		t.Error("something was removed")
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`a\040b`: "a b", `\134`: `\`, `a\`: `a\`, `a\99x`: `a\99x`, `\0401`: " 1", "": ""} {
		if got := unescape(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	h := lay(t, map[string]string{"/d/a": "1", "/d/.b": "2", "/d/c/d/e": "3", "/d/lost+found/x": "4", "/d/link": "-> /kept", "/kept": "5", "/proc/self/mountinfo": ""})
	for range 2 {
		if err := h.Clear("/d"); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"d/lost+found/x": "4", "kept": "5", "proc/self/mountinfo": ""}
	if diff := cmp.Diff(want, tree(t, h.Path("/"))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := h.Clear("/nowhere"); err != nil {
		t.Error(err)
	}
}

// layOver adds a file.
func layOver(t *testing.T, h *Host, path, content string) *Host {
	t.Helper()
	if err := h.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context(), File{Path: path, Mode: 0o644, Data: []byte(content)}); err != nil {
		t.Fatal(err)
	}
	return h
}

// All processes of the program end, and no other.
func TestEndProcesses(t *testing.T) {
	t.Parallel()
	h, ended := Open("/"), make(chan error, 2)
	start := func(name string) *exec.Cmd {
		sleep, err := exec.LookPath("sleep")
		if err != nil {
			t.Fatal(err)
		}
		cmd := &exec.Cmd{Path: sleep, Args: []string{"/opt/" + name, "60"}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	other := start("tripod-test-others")
	for range 2 {
		cmd := start("tripod-test-ends")
		go func() { ended <- cmd.Wait() }()
	}
	if err := h.end(t.Context(), "tripod-test-ends"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "terminated") {
			t.Errorf("ended by %v", err)
		}
	}
	if pids := h.processes("tripod-test-others"); len(pids) != 1 || pids[0] != other.Process.Pid {
		t.Errorf("others are %v", pids)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
}

func TestSandboxes(t *testing.T) {
	t.Parallel()
	f := &fakeRuntime{
		sandboxes:  []*runtimeapi.PodSandbox{sandbox("s", "etcd-node-1", "r1", 1, runtimeapi.PodSandboxState_SANDBOX_READY), {Id: "by hand"}},
		containers: []*runtimeapi.ContainerStatus{{Id: "c1", State: runtimeapi.ContainerState_CONTAINER_RUNNING}},
	}
	k := serve(t, f, true)
	all, err := k.Sandboxes(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "s" || !strings.HasSuffix(all[0].String(), "/etcd-node-1") {
		t.Fatalf("%v, %v", all, err)
	}
	if err := k.End(t.Context(), all[0], 7); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stop container c1, 7 s", "stop sandbox s", "remove sandbox s"}, f.ended); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Where systemd keeps the kubelet, it is asked to stop it; a unit that is stopped is left alone.
func TestStopKubelet(t *testing.T) {
	h := lay(t, map[string]string{"/run/systemd/system/x": ""})
	const script = "#!/bin/sh\necho \"$@\" >>$0.log\n[ $1 = stop ] || printf 'Id=kubelet.service\\nLoadState=loaded\\nActiveState=%s\\n' $STATE\n"
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for state, kept := range map[string]bool{"inactive": false, "activating": true} {
		t.Setenv("STATE", state)
		if runs, keeps := h.KubeletRuns(t.Context()); runs || keeps != kept {
			t.Errorf("%s: runs %v, kept %v", state, runs, keeps)
		}
		if err := h.StopKubelet(t.Context()); err != nil {
			t.Error(err)
		}
	}
	log, err := os.ReadFile(filepath.Join(bin, "systemctl.log"))
	if err != nil || strings.Count(string(log), "stop kubelet\n") != 1 {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestKept(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{"active": true, "activating": true, "deactivating": true, "inactive": false, "failed": false} {
		if got := (unit{"LoadState": "loaded", "ActiveState": state}).kept(); got != want {
			t.Errorf("%s: %v", state, got)
		}
	}
	if (unit{"LoadState": "not-found", "ActiveState": "active"}).kept() {
		t.Error("a unit that is not there")
	}
}
