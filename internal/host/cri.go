package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// criSockets are where container runtimes listen, as kubeadm looks for them.
const criSockets = "/var/run/containerd/containerd.sock /var/run/crio/crio.sock /var/run/cri-dockerd.sock"

// criTimeout bounds one question to the runtime; pulling an image is bounded by its caller.
const criTimeout = 2 * time.Second

// CRISockets are the container runtime sockets that exist, as unix:// URLs.
func (h *Host) CRISockets() []string {
	var found []string
	for _, path := range strings.Fields(criSockets) {
		if h.Exists(path) {
			found = append(found, "unix://"+path)
		}
	}
	return found
}

// askAgain has gRPC put a question again that found no answer: a runtime that is just starting closes connections that it
// has taken. All that is asked here may be asked twice.
const askAgain = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "0.5s",
	"backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// dialCRI prepares a connection; the first question makes it.
func (h *Host) dialCRI(socket string) (*grpc.ClientConn, error) {
	path, ok := strings.CutPrefix(socket, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("container runtime socket %q is not unix:// and an absolute path", socket)
	}
	conn, err := grpc.NewClient("unix://"+h.Path(path),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(askAgain),
		// A runtime that is being restarted should be found again soon.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
			BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, MaxDelay: 500 * time.Millisecond,
		}}))
	if err != nil {
		return nil, fmt.Errorf("container runtime at %s: %w", socket, err)
	}
	return conn, nil
}

// criError is a gRPC error in plain words.
func (k *Kubelet) criError(err error) error {
	s := status.Convert(err)
	if s.Code() == codes.Unavailable {
		// The message nests the dialler's own; the end of it is what happened.
		message := s.Message()
		if i := strings.LastIndex(message, ": "); i >= 0 {
			message = strings.Trim(message[i+2:], `"`)
		}
		return fmt.Errorf("the container runtime does not answer on %s: %s", k.o.Socket, message)
	}
	return fmt.Errorf("the container runtime at %s: %s", k.o.Socket, s.Message())
}

// Runtime is what the container runtime says of itself.
type Runtime struct {
	// Name and Version are containerd and v2.2.0.
	Name, Version string
	// Detects is whether the kubelet can learn the cgroup driver from it (RuntimeConfig).
	Detects bool
	// Err is why it can not be used, nil if it can.
	Err error
}

// askRuntime fills in the runtime and which images it has.
func (h *Host) askRuntime(ctx context.Context, ask Ask, s *Survey) {
	if ask.CRISocket == "" {
		return
	}
	k, err := h.NewKubelet(KubeletOptions{Socket: ask.CRISocket})
	if err != nil {
		s.Runtime.Err = err
		return
	}
	defer func() { _ = k.Close() }()
	s.Images = map[string]bool{}
	if s.Runtime = k.runtime(ctx); s.Runtime.Err != nil {
		return
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, image := range ask.Images {
		all.Go(func() {
			has, err := k.HasImage(ctx, image)
			mu.Lock()
			defer mu.Unlock()
			s.Images[image] = has && err == nil
		})
	}
	all.Wait()
}

func (k *Kubelet) runtime(ctx context.Context) Runtime {
	ctx, cancel := context.WithTimeout(ctx, criTimeout)
	defer cancel()
	version, err := k.cri.Version(ctx, &runtimeapi.VersionRequest{})
	if err != nil {
		return Runtime{Err: k.criError(err)}
	}
	r := Runtime{Name: version.GetRuntimeName(), Version: version.GetRuntimeVersion()}
	reply, err := k.cri.Status(ctx, &runtimeapi.StatusRequest{})
	if err != nil {
		r.Err = k.criError(err)
	}
	for _, c := range reply.GetStatus().GetConditions() {
		if c.GetType() == runtimeapi.RuntimeReady && !c.GetStatus() {
			r.Err = fmt.Errorf("the container runtime is not ready: %s %s", c.GetReason(), c.GetMessage())
		}
	}
	_, err = k.cri.RuntimeConfig(ctx, &runtimeapi.RuntimeConfigRequest{})
	r.Detects = status.Code(err) != codes.Unimplemented
	return r
}

// HasImage is whether the runtime has the image.
func (k *Kubelet) HasImage(ctx context.Context, image string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, criTimeout)
	defer cancel()
	reply, err := k.images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: image}})
	if err != nil {
		return false, k.criError(err)
	}
	return reply.GetImage() != nil, nil
}

// Pull has the runtime fetch the image from its registry.
func (k *Kubelet) Pull(ctx context.Context, image string) error {
	_, err := k.images.PullImage(ctx, &runtimeapi.PullImageRequest{Image: &runtimeapi.ImageSpec{Image: image}})
	if err != nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), k.criError(err))
	} else if err != nil {
		err = k.criError(err)
	}
	if err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	return nil
}
