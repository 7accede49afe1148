package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// Patience is far longer than anything takes; only what hangs takes it all.
	Patience = 2 * time.Minute
	// pollEvery is how often a condition is looked at.
	pollEvery = 20 * time.Millisecond
)

// Until tries a condition again and again until it holds, and returns its last error when ctx is done or patience ends.
func Until(ctx context.Context, what string, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	began := time.Now()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not after %s: %w", what, time.Since(began).Round(time.Second), err)
		case <-time.After(pollEvery):
		}
	}
}

// Health asks components whether they are ready. It verifies no certificates: the controller-manager's and the
// scheduler's are their own under kubeadm.
type Health struct{ client *http.Client }

// NewHealth returns a Health that reaches the components by dial; nil is this machine's own network.
func NewHealth(dial func(ctx context.Context, network, address string) (net.Conn, error)) Health {
	return Health{&http.Client{
		// An apiserver that is just starting may leave a request unanswered that the next one gets an answer to.
		Timeout:   500 * time.Millisecond,
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}}
}

// Until waits until the address answers 200.
func (h Health) Until(ctx context.Context, url string) error {
	return Until(ctx, url, func(ctx context.Context) error { return h.Now(ctx, url) })
}

// Now is nil if the address answers 200, and says why not otherwise.
func (h Health) Now(ctx context.Context, url string) error {
	_, err := h.ask(ctx, url)
	return err
}

// ask also says whether there was an answer at all.
func (h Health) ask(ctx context.Context, url string) (answered bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	answer, err := h.client.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // to the end, so that the connection can be used again
	if answer.StatusCode == http.StatusOK {
		return true, nil
	}
	return true, fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(body)))
}

// Close drops the connections that it kept.
func (h Health) Close() { h.client.CloseIdleConnections() }

// URLs are where the components of one master say whether they are ready.
type URLs struct{ Etcd, APIServer, ControllerManager, Scheduler string }

// HealthURLs are the addresses of a master whose components all listen at one address for the world and at another
// for themselves (kubeadm: 127.0.0.1).
func HealthURLs(world, local string) URLs {
	return URLs{
		Etcd:              "http://" + net.JoinHostPort(local, "2381") + "/readyz",
		APIServer:         "https://" + net.JoinHostPort(world, "6443") + "/readyz",
		ControllerManager: "https://" + net.JoinHostPort(local, "10257") + "/healthz",
		Scheduler:         "https://" + net.JoinHostPort(local, "10259") + "/readyz",
	}
}

// All waits until all four are ready.
func (h Health) All(ctx context.Context, u URLs) error {
	for _, url := range []string{u.Etcd, u.APIServer, u.ControllerManager, u.Scheduler} {
		if err := h.Until(ctx, url); err != nil {
			return err
		}
	}
	return nil
}
