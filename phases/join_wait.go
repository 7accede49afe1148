package phases

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tripod.dev/tripod/internal/cluster"
)

// proveJoined asks the kubelet for its health, and the cluster, as that node, for the node.
func proveJoined(ctx context.Context, p *Prober) error {
	m := p.master
	if err := p.alive(ctx); err != nil {
		return err
	}
	api, err := m.Joining.own()
	if err != nil {
		return err
	}
	name := m.Node.Registration.Name
	_, err = api.Get(ctx, cluster.Node(name))
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the kubelet has not registered node %s yet", name)
	}
	return err
}

// kubeletSaid adds to the reason the last lines of the kubelet's journal, where systemd has them.
func kubeletSaid(reason error) error {
	const within = 2 * time.Second
	ctx, stop := context.WithTimeout(context.Background(), within)
	defer stop()
	out, err := exec.CommandContext(ctx, "journalctl", "--unit=kubelet", "--lines=3", "--output=cat", "--no-pager").Output()
	if err != nil || len(out) == 0 {
		return reason
	}
	text := "its last lines:"
	for line := range strings.Lines(strings.TrimSpace(string(out))) {
		text += "\n    " + legible(strings.TrimSpace(line))
	}
	return errors.Join(reason, errors.New(text))
}
