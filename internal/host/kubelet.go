package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Kubelet is the Runner of a real machine: the kubelet's service, and the container runtime
// that it uses, asked directly. The kubelet's own view of its pods is behind a port that
// wants a client certificate and an apiserver that may not be there yet; the runtime knows
// the same, earlier.
type Kubelet struct {
	host *Host
	o    KubeletOptions
	cri  runtimeapi.RuntimeServiceClient
	// images is the same connection.
	images runtimeapi.ImageServiceClient
	close  func() error
	// unpulled are the components whose image the kubelet does not pull.
	unpulled map[string]bool
}

// KubeletOptions says where a Kubelet finds what it talks to.
type KubeletOptions struct {
	// Node is the node's name; the pod of component C is C-NODE.
	Node string
	// Socket is the container runtime's, unix:///...
	Socket string
	// Dir is the kubelet's directory, in which its configuration lies.
	Dir string
	// Images are the components' images, by component; see Expect. Optional.
	Images map[string]string
	// Files are the files that the service reads when it starts.
	Files []string
}

// NewKubelet makes a Kubelet. It connects to nothing before it is asked something.
func (h *Host) NewKubelet(o KubeletOptions) (*Kubelet, error) {
	conn, err := h.dialCRI(o.Socket)
	if err != nil {
		return nil, err
	}
	return &Kubelet{
		host:   h,
		o:      o,
		cri:    runtimeapi.NewRuntimeServiceClient(conn),
		images: runtimeapi.NewImageServiceClient(conn),
		close:  conn.Close,
	}, nil
}

// Expect names the components' images, by component. With them Pod can tell that a container is missing because its image
// is. Those of unpulled are not pulled by the kubelet.
func (k *Kubelet) Expect(images map[string]string, unpulled map[string]bool) {
	k.o.Images, k.unpulled = images, unpulled
}

// Close ends the connection to the runtime.
func (k *Kubelet) Close() error { return k.close() }

// Alive asks the kubelet for its health once, where its configuration says that it answers. That in its files is tried first:
// to look at the flags of the process that runs costs a look at all processes.
func (k *Kubelet) Alive(ctx context.Context) error {
	c, err := k.host.kubeletConfig(k.o.Dir, k.host.givenFlags(k.o.Dir))
	if err == nil {
		err = c.answers(ctx)
	}
	if err == nil {
		return nil
	}
	if now, bad := k.host.KubeletConfig(k.o.Dir); bad == nil && now != c {
		return now.answers(ctx)
	}
	return err
}

// answers asks the kubelet for its health once. One that has its healthz switched off is asked at its API, which answers whom
// it does not know, too, but that he is not known.
func (c KubeletConfig) answers(ctx context.Context) error {
	at, ask := c.Healthz, func() error { return get(ctx, "http://"+c.Healthz.String()+"/healthz", http.StatusOK) }
	if !c.Healthz.IsValid() {
		at, ask = c.API, func() error {
			return get(ctx, "https://"+c.API.String()+"/healthz", http.StatusOK, http.StatusUnauthorized, http.StatusForbidden)
		}
	}
	if err := ask(); err != nil {
		return fmt.Errorf("the kubelet does not answer on %s: %w", at, err)
	}
	return nil
}

// get wants one of these answers. No proxy, whatever the environment says: the kubelet is on this machine. Nothing that it says
// is believed but that it is there, so it may be anybody by its certificate, which it has mostly signed itself.
func get(ctx context.Context, url string, fine ...int) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return bareNet(err)
	}
	defer response.Body.Close()
	if !slices.Contains(fine, response.StatusCode) {
		return errors.New(response.Status)
	}
	return nil
}

// bareNet is the cause of a failed connection, without the address that the message names already.
func bareNet(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	var call *os.SyscallError
	if errors.As(op.Err, &call) {
		return call.Err
	}
	return op.Err
}

// Start starts the kubelet's service, and starts it anew if its files are younger than it.
// Without systemd it does nothing: then somebody else keeps a kubelet running that waits for
// its files, and one that runs already goes on with those that it has read.
func (k *Kubelet) Start(ctx context.Context) error {
	if !k.host.systemd() {
		return nil
	}
	units, err := showUnits(ctx, "kubelet")
	if err != nil {
		return err
	}
	u := units["kubelet"]
	switch s := k.host.service(u, k.o.Files); {
	case !s.Installed:
		return errors.New("systemd knows no kubelet service\nhint: install the kubelet package, or its unit files")
	case s.Active && !s.Stale:
		return nil
	}
	if u["NeedDaemonReload"] == "yes" {
		if _, err := systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	// Not "start": a packaged kubelet without its files is in auto-restart, and there a start
	// job waits for systemd's own timer.
	_, err = systemctl(ctx, "restart", "kubelet")
	return err
}

// systemd is whether systemd is this machine's init, as sd_booted(3) finds out.
func (h *Host) systemd() bool {
	info, err := os.Stat(h.Path("/run/systemd/system"))
	return err == nil && info.IsDir()
}
