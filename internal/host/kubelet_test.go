package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// fakeRuntime is a container runtime whose containers can be made to end on demand.
type fakeRuntime struct {
	runtimeapi.UnimplementedRuntimeServiceServer
	runtimeapi.UnimplementedImageServiceServer
	sandboxes  []*runtimeapi.PodSandbox
	containers []*runtimeapi.ContainerStatus // in the order of their making
	images     []string
	ended      []string
	busy       int // how often a sandbox can not be removed, as a container in it is just starting
}

func (f *fakeRuntime) StopContainer(_ context.Context, r *runtimeapi.StopContainerRequest) (*runtimeapi.StopContainerResponse, error) {
	f.ended = append(f.ended, fmt.Sprintf("stop container %s, %d s", r.GetContainerId(), r.GetTimeout()))
	return &runtimeapi.StopContainerResponse{}, nil
}

func (f *fakeRuntime) StopPodSandbox(_ context.Context, r *runtimeapi.StopPodSandboxRequest) (*runtimeapi.StopPodSandboxResponse, error) {
	f.ended = append(f.ended, "stop sandbox "+r.GetPodSandboxId())
	return &runtimeapi.StopPodSandboxResponse{}, nil
}

func (f *fakeRuntime) RemovePodSandbox(_ context.Context, r *runtimeapi.RemovePodSandboxRequest) (*runtimeapi.RemovePodSandboxResponse, error) {
	if f.busy--; f.busy >= 0 {
		return nil, errors.New("container is in starting state, can't be removed")
	}
	f.ended = append(f.ended, "remove sandbox "+r.GetPodSandboxId())
	return &runtimeapi.RemovePodSandboxResponse{}, nil
}

func (f *fakeRuntime) ListPodSandbox(_ context.Context, r *runtimeapi.ListPodSandboxRequest) (*runtimeapi.ListPodSandboxResponse, error) {
	reply := &runtimeapi.ListPodSandboxResponse{}
	for _, s := range f.sandboxes {
		if r.GetFilter() == nil || s.GetLabels()[podNameLabel] == r.GetFilter().GetLabelSelector()[podNameLabel] {
			reply.Items = append(reply.Items, s)
		}
	}
	return reply, nil
}

func (f *fakeRuntime) ListContainers(context.Context, *runtimeapi.ListContainersRequest) (*runtimeapi.ListContainersResponse, error) {
	reply := &runtimeapi.ListContainersResponse{}
	for i, c := range f.containers {
		reply.Containers = append(reply.Containers, &runtimeapi.Container{Id: c.GetId(), State: c.GetState(), CreatedAt: int64(i)})
	}
	return reply, nil
}

func (f *fakeRuntime) ContainerStatus(_ context.Context, r *runtimeapi.ContainerStatusRequest) (*runtimeapi.ContainerStatusResponse, error) {
	for _, c := range f.containers {
		if c.GetId() == r.GetContainerId() {
			return &runtimeapi.ContainerStatusResponse{Status: c, Info: map[string]string{"info": `{"pid":4242}`}}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

func (f *fakeRuntime) ImageStatus(_ context.Context, r *runtimeapi.ImageStatusRequest) (*runtimeapi.ImageStatusResponse, error) {
	for _, image := range f.images {
		if image == r.GetImage().GetImage() {
			return &runtimeapi.ImageStatusResponse{Image: &runtimeapi.Image{Id: image}}, nil
		}
	}
	return &runtimeapi.ImageStatusResponse{}, nil
}

func (f *fakeRuntime) PullImage(context.Context, *runtimeapi.PullImageRequest) (*runtimeapi.PullImageResponse, error) {
	return nil, status.Error(codes.Unknown, "no route to registry")
}

func (f *fakeRuntime) Version(context.Context, *runtimeapi.VersionRequest) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{RuntimeName: "containerd", RuntimeVersion: "v2.2.0"}, nil
}

func (f *fakeRuntime) Status(context.Context, *runtimeapi.StatusRequest) (*runtimeapi.StatusResponse, error) {
	return &runtimeapi.StatusResponse{Status: &runtimeapi.RuntimeStatus{Conditions: []*runtimeapi.RuntimeCondition{
		{Type: runtimeapi.RuntimeReady, Status: true}, {Type: runtimeapi.NetworkReady},
	}}}, nil
}

// serve makes a Kubelet of node "Node-1" that talks to f, and to a healthz that answers if it is to be alive.
func serve(t *testing.T, f *fakeRuntime, alive bool) *Kubelet {
	t.Helper()
	// Not t.TempDir: with a test's name in it, it is too long for a socket.
	dir, err := os.MkdirTemp("", "cri")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := Open(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "cri.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	runtimeapi.RegisterRuntimeServiceServer(server, f)
	runtimeapi.RegisterImageServiceServer(server, f)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	healthz := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	if !alive {
		healthz.Close()
	}
	t.Cleanup(healthz.Close)
	configure(t, h, healthzAt(healthz.Listener.Addr().String()))
	k, err := h.NewKubelet(KubeletOptions{Node: "Node-1", Socket: "unix:///cri.sock", Dir: kubeletDir,
		Images: map[string]string{"etcd": "registry.k8s.io/etcd:3.6.8-0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func sandbox(id, name, revision string, created int64, state runtimeapi.PodSandboxState) *runtimeapi.PodSandbox {
	return &runtimeapi.PodSandbox{Id: id, State: state, CreatedAt: created,
		Labels: map[string]string{podNameLabel: name}, Annotations: map[string]string{revisionAnnotation: revision}}
}

func TestPod(t *testing.T) {
	t.Parallel()
	const ready, notReady = runtimeapi.PodSandboxState_SANDBOX_READY, runtimeapi.PodSandboxState_SANDBOX_NOTREADY
	const running, exited = runtimeapi.ContainerState_CONTAINER_RUNNING, runtimeapi.ContainerState_CONTAINER_EXITED
	now := time.Now()
	long, started := now.Add(-time.Minute).UnixNano(), now.Add(-time.Hour).UnixNano()
	one := []*runtimeapi.PodSandbox{sandbox("s", "etcd-node-1", "r1", 1, ready)}
	restarted := map[string]string{restartCountAnnotation: "3"}
	crashed := &runtimeapi.ContainerStatus{Id: "c1", State: exited, StartedAt: started, FinishedAt: long, ExitCode: 1, Reason: "Error",
		LogPath: "/var/log/pods/etcd/0.log", Annotations: restarted}
	soon := now.Add(time.Hour).UnixNano() // just now, however slow this machine is
	exit := &Exit{Code: 1, At: time.Unix(0, long), Reason: "Error", ContainerID: "c1",
		Log: []string{"listen tcp 10.0.0.1:2380: bind: address already in use"}}
	for name, tt := range map[string]struct {
		runtime fakeRuntime
		dead    bool
		want    Running
		err     string
	}{
		"runs": {runtime: fakeRuntime{sandboxes: []*runtimeapi.PodSandbox{
			sandbox("old", "etcd-node-1", "r0", 1, notReady), sandbox("new", "etcd-node-1", "r1", 2, ready), sandbox("x", "etcd-node-2", "r2", 3, ready)},
			containers: []*runtimeapi.ContainerStatus{{Id: "c", State: running, StartedAt: started}}},
			want: Running{Revision: "r1", State: Started, PID: 4242, StartedAt: time.Unix(0, started)}},
		"runs again": {runtime: fakeRuntime{sandboxes: one, containers: []*runtimeapi.ContainerStatus{crashed, {Id: "c2", State: running, StartedAt: started, Annotations: restarted}}},
			want: Running{Revision: "r1", State: Started, PID: 4242, StartedAt: time.Unix(0, started), Restarts: 3, Exit: exit}},
		"made, after a crash": {runtime: fakeRuntime{sandboxes: one, containers: []*runtimeapi.ContainerStatus{crashed, {Id: "c2", Annotations: restarted}}},
			want: Running{Revision: "r1", State: Created, Restarts: 3, Exit: exit}},
		"backs off": {runtime: fakeRuntime{sandboxes: one, containers: []*runtimeapi.ContainerStatus{crashed}},
			want: Running{Revision: "r1", State: Waiting, StartedAt: time.Unix(0, started), Restarts: 3, Exit: exit}},
		"just ended, never started": {runtime: fakeRuntime{sandboxes: one, containers: []*runtimeapi.ContainerStatus{
			{Id: "c1", State: exited, FinishedAt: soon, ExitCode: 128, Reason: "StartError", Message: "no such file"}}},
			want: Running{Revision: "r1", State: Exited, Exit: &Exit{Code: 128, At: time.Unix(0, soon), Reason: "StartError", ContainerID: "c1", Log: []string{"no such file"}}}},
		"nothing yet":       {runtime: fakeRuntime{images: []string{"registry.k8s.io/etcd:3.6.8-0"}}},
		"sandbox only":      {runtime: fakeRuntime{sandboxes: one, images: []string{"registry.k8s.io/etcd:3.6.8-0"}}, want: Running{Revision: "r1"}},
		"image missing":     {runtime: fakeRuntime{sandboxes: one}, want: Running{Revision: "r1"}, err: "no container yet; its image registry.k8s.io/etcd:3.6.8-0 is not on this machine"},
		"kubelet not there": {dead: true, err: "no container yet; the kubelet does not answer on 127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := serve(t, &tt.runtime, !tt.dead)
			log := k.host.Path("/var/log/pods/etcd/0.log")
			if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(log, []byte("2026-01-01T00:00:00Z stderr F listen tcp 10.0.0.1:2380: bind: address already in use\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := k.Pod(t.Context(), "etcd")
			if !strings.HasPrefix(fmt.Sprint(err), tt.err) || (err != nil) != (tt.err != "") {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestKubeletErrors(t *testing.T) {
	t.Parallel()
	h := Open(t.TempDir())
	configure(t, h, healthzAt("127.0.0.1:1"))
	k, err := h.NewKubelet(KubeletOptions{Node: "n", Socket: "unix:///nowhere/cri.sock", Dir: kubeletDir})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	_, podErr := k.Pod(t.Context(), "etcd")
	for want, err := range map[string]error{
		"the kubelet does not answer on 127.0.0.1:1: connection refused":                                       k.Alive(t.Context()),
		"the container runtime does not answer on unix:///nowhere/cri.sock: no such file or directory":         podErr,
		"pull x: the container runtime does not answer on unix:///nowhere/cri.sock: no such file or directory": k.Pull(t.Context(), "x"),
	} {
		if fmt.Sprint(err) != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := h.NewKubelet(KubeletOptions{Socket: "tcp://x"}); err == nil {
		t.Error("a socket that is none was taken")
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	f := &fakeRuntime{
		sandboxes: []*runtimeapi.PodSandbox{sandbox("s", "etcd-node-1", "r1", 1, runtimeapi.PodSandboxState_SANDBOX_READY)},
		containers: []*runtimeapi.ContainerStatus{{Id: "c1", State: runtimeapi.ContainerState_CONTAINER_EXITED},
			{Id: "c2", State: runtimeapi.ContainerState_CONTAINER_RUNNING}},
		busy: 1,
	}
	k := serve(t, f, true)
	if err := k.end(t.Context(), "s", "etcd"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"stop container c2, 30 s", "stop sandbox s", "stop container c2, 30 s", "stop sandbox s", "remove sandbox s"}, f.ended); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	k.host = Open("/") // to find whose healthz it is: this test's, no kubelet's, and so left alone
	soon, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := k.Forget(soon, "etcd")
	if err == nil || !strings.HasPrefix(err.Error(), "start the kubelet anew: ") {
		t.Errorf("error %v", err)
	}
	if err := k.Forget(t.Context(), "kube-scheduler"); err != nil {
		t.Errorf("a pod that is not there: %v", err)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	k := serve(t, &fakeRuntime{images: []string{"a"}}, true)
	for image, want := range map[string]bool{"a": true, "b": false} {
		if has, err := k.HasImage(t.Context(), image); has != want || err != nil {
			t.Errorf("HasImage(%s) = %v, %v", image, has, err)
		}
	}
	if err := k.Pull(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "pull a: ") || !strings.Contains(err.Error(), "no route to registry") {
		t.Errorf("Pull: %v", err)
	}
	s, err := k.host.Survey(t.Context(), Ask{CRISocket: "unix:///cri.sock", Images: []string{"a", "b"}})
	if err == nil {
		t.Error("a machine without /proc has no error")
	}
	want := Runtime{Name: "containerd", Version: "v2.2.0"}
	if diff := cmp.Diff(want, s.Runtime); diff != "" || !s.Images["a"] || s.Images["b"] {
		t.Errorf("images %v, (-want +got)\n%s", s.Images, diff)
	}
}

func TestParseCRILog(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 30 {
		fmt.Fprintf(&many, "2026-01-01T00:00:00.0Z stdout F line %d\n", i)
	}
	for name, tt := range map[string]struct {
		log  string
		want []string
	}{
		"empty":        {"", nil},
		"lines":        {"t stderr F a b\nt stdout F \nt stderr F c\n", []string{"a b", "c"}},
		"parts":        {"t stderr P long \nt stderr P er \nt stderr F end\n", []string{"long er end"}},
		"open at end":  {"t stderr P half", []string{"half"}},
		"no CRI lines": {"nonsense\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parseCRILog([]byte(tt.log)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if got := parseCRILog([]byte(many.String())); len(got) != tailLines || got[0] != "line 10" {
		t.Errorf("of many lines: %q", got)
	}
	h := lay(t, map[string]string{"/log": strings.Repeat("t stderr F "+strings.Repeat("x", 999)+"\n", 1000)})
	if got := h.tailCRILog("/log"); len(got) != tailLines || len(got[0]) != 999 {
		t.Errorf("of a long file: %d lines", len(got))
	}
}
