package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// probe is one of a container's three probes.
type probe struct {
	Kind    string // startup, liveness, readiness
	Delay   time.Duration
	Period  time.Duration
	Timeout time.Duration
	// Failures and Successes in a row make a verdict.
	Failures, Successes int
	// Grace is that of the end which a failed probe brings.
	Grace  time.Duration
	Action action
}

// action is one attempt; an error says why the container is not what it should be.
type action func(ctx context.Context) error

// once runs one attempt within the probe's timeout.
func (p *probe) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	err := p.Action(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", p.Timeout, err)
	}
	return err
}

// lingerless is the kubelet's dialer: probes shall not fill the host with sockets in TIME-WAIT.
func lingerless() *net.Dialer {
	return &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: 1})
		})
	}}
}

// tcpAction connects to the address.
func tcpAction(host string, port int) action {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	return func(ctx context.Context) error {
		conn, err := lingerless().DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// httpAction gets the URL as the kubelet does: certificates are not verified, no proxy, a status of 200 to
// 399 is success, redirects are followed on the same host only.
func httpAction(target *url.URL, header http.Header) action {
	client := &http.Client{
		CheckRedirect: sameHost,
		Transport: &http.Transport{
			DialContext:        lingerless().DialContext,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return err
		}
		request.Header = header.Clone()
		request.Host = header.Get("Host")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode < 200 || response.StatusCode > 399 {
			return fmt.Errorf("GET %s: HTTP status %d", target, response.StatusCode)
		}
		return nil
	}
}

func sameHost(next *http.Request, via []*http.Request) error {
	if next.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

// execAction runs a program like the container's own; success is exit code 0.
func execAction(program string, args []string, env []string, dir string) action {
	return func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env, cmd.Dir = env, dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		output, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", program, err, lastLine(string(output)))
		}
		return nil
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
