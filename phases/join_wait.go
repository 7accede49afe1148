package phases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tripod.dev/tripod/internal/cluster"
)

// proveJoined asks the kubelet for its health, and the cluster, as that node, for the node.
func proveJoined(ctx context.Context, p *Prober) error {
	m := p.master
	if err := kubeletHealthy(ctx, m); err != nil {
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

// kubeletHealthy asks the kubelet where its configuration says that it answers.
func kubeletHealthy(ctx context.Context, m Master) error {
	document, err := kubeletConfiguration(m)
	if err != nil {
		return err
	}
	at := net.JoinHostPort(fmt.Sprint(document["healthzBindAddress"]), fmt.Sprint(document["healthzPort"]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return unanswered("the kubelet at "+at, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the kubelet at %s answers %s: %s", at, response.Status, strings.TrimSpace(string(body)))
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
