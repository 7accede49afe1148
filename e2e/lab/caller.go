package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Caller is a client of a cluster as most are: it keeps its connection, reads and writes by turns at an even pace, and tries
// once more, at once, where a connection was refused, or ended before an answer began.
type Caller struct {
	client *http.Client
	url    string
	prefix string
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	record Calls
}

// Calls is what has become of a caller's requests.
type Calls struct {
	Answered int
	// Retried are those that got their answer at the second try.
	Retried int
	// Failed are why those that got none did not.
	Failed []string
	// Slowest is the longest time that one took.
	Slowest time.Duration
}

// answerTimeout is how long a caller waits for one answer.
const answerTimeout = 10 * time.Second

// StartCaller begins to call the cluster that a kubeconfig (as JSON) names, from the network. The caller stops it.
func (w *Network) StartCaller(kubeconfig []byte, interval time.Duration) (*Caller, error) {
	return startCaller(w.Dial, kubeconfig, interval)
}

// StartCaller begins to call the sandbox's endpoint. The caller stops it.
func (s *Sandbox) StartCaller(ctx context.Context, interval time.Duration) (*Caller, error) {
	kubeconfig, err := s.Kubectl(ctx, "config", "view", "--raw", "--output=json")
	if err != nil {
		return nil, err
	}
	return startCaller(nil, []byte(kubeconfig), interval)
}

func startCaller(dial func(ctx context.Context, network, address string) (net.Conn, error), kubeconfig []byte, interval time.Duration) (*Caller, error) {
	admin, err := readAdmin(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("start a caller: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DialContext: dial, TLSClientConfig: admin.tls.Clone(), ForceAttemptHTTP2: true}
	c := &Caller{client: &http.Client{Transport: transport, Timeout: answerTimeout}, url: configMaps(admin.server),
		prefix: fmt.Sprintf("call-%x-", time.Now().UnixNano()), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.run(ctx, interval)
	}()
	return c, nil
}

func (c *Caller) run(ctx context.Context, interval time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for number := 0; ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		all.Go(func() { c.call(number) })
	}
}

// call makes one request: those with even numbers write a key, those with odd ones read one.
func (c *Caller) call(number int) {
	began := time.Now()
	method, where, body := http.MethodGet, c.url+"/kube-root-ca.crt", []byte(nil)
	if number%2 == 0 {
		method, where = http.MethodPost, c.url
		body = fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "%s%06d"}}`, c.prefix, number)
	}
	status, err := c.once(method, where, body)
	again := err != nil && unanswered(err)
	if again {
		status, err = c.once(method, where, body)
		if status == http.StatusConflict {
			status = http.StatusCreated // the first try came about
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Since(began)
	c.record.Slowest = max(c.record.Slowest, took)
	switch {
	case err != nil:
		c.record.Failed = append(c.record.Failed, fmt.Sprintf("%s %s after %s (again: %v): %v", began.Format("15:04:05.000"), method, took.Round(time.Millisecond), again, err))
	case status/100 != 2:
		c.record.Failed = append(c.record.Failed, fmt.Sprintf("%s %s after %s: status %d", began.Format("15:04:05.000"), method, took.Round(time.Millisecond), status))
	default:
		c.record.Answered++
		if again {
			c.record.Retried++
		}
	}
}

// once makes a request and reads the answer.
func (c *Caller) once(method, where string, body []byte) (status int, err error) {
	request, err := http.NewRequest(method, where, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, fmt.Errorf("the answer was cut off: %s", err)
	}
	if response.StatusCode/100 != 2 && response.StatusCode != http.StatusConflict {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return response.StatusCode, err
}

// unanswered says that no answer had begun when the connection ended, or that there was none.
func unanswered(err error) bool {
	var header tls.RecordHeaderError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &header) || strings.Contains(err.Error(), "http2: client connection lost") || strings.Contains(err.Error(), "GOAWAY")
}

// Stop stops calling, and waits for the answers that are due.
func (c *Caller) Stop() Calls {
	c.cancel()
	<-c.done
	return c.record
}
