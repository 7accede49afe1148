package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// writeTimeout is how long one write may take before the next one is tried.
const writeTimeout = 2 * time.Second

// Writer appends numbered keys to a cluster, one after the other, each a ConfigMap of its own. A write that fails is
// not tried again: it may have come about or not, and the next number follows.
type Writer struct {
	client *http.Client
	url    string // of the namespace's ConfigMaps
	prefix string // of its keys, which no other writer has
	cancel context.CancelFunc
	done   chan struct{}
	record Record
}

// Record is what has become of a writer's keys.
type Record struct {
	Acknowledged []string      // the keys that the cluster has confirmed
	Failed       int           // the writes that it has not
	LastError    error         // of those
	Gap          time.Duration // the longest time without a confirmation
	GapAt        string        // the first key that was confirmed after it
}

// keyspace is the namespace that writers write to.
const keyspace = "default"

// StartWriter begins to write as the administrator that a kubeconfig (as JSON) names, from the network, one key each
// interval. The caller stops it.
func (w *Network) StartWriter(kubeconfig []byte, interval time.Duration) (*Writer, error) {
	return startWriter(w.Dial, kubeconfig, interval)
}

// StartWriter begins to write at the sandbox's endpoint, one key each interval. The caller stops it.
func (s *Sandbox) StartWriter(ctx context.Context, interval time.Duration) (*Writer, error) {
	kubeconfig, err := s.Kubectl(ctx, "config", "view", "--raw", "--output=json")
	if err != nil {
		return nil, err
	}
	return startWriter(nil, []byte(kubeconfig), interval)
}

func startWriter(dial func(ctx context.Context, network, address string) (net.Conn, error), kubeconfig []byte, interval time.Duration) (*Writer, error) {
	admin, err := readAdmin(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("start a writer: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	writer := &Writer{client: admin.client(dial), url: configMaps(admin.server), prefix: fmt.Sprintf("key-%x-", time.Now().UnixNano()),
		cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(writer.done)
		writer.run(ctx, interval)
	}()
	return writer, nil
}

func configMaps(server string) string {
	return server + "/api/v1/namespaces/" + keyspace + "/configmaps"
}

func (w *Writer) run(ctx context.Context, interval time.Duration) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	last := time.Now()
	gap := func(key string) {
		if took := time.Since(last); took > w.record.Gap {
			w.record.Gap, w.record.GapAt = took, key
		}
	}
	for number := 1; ; number++ {
		select {
		case <-ctx.Done():
			gap("none")
			return
		case <-ticks.C:
		}
		key := fmt.Sprintf("%s%06d", w.prefix, number)
		if err := w.write(key); err != nil {
			w.record.Failed++
			w.record.LastError = fmt.Errorf("%s: %w", key, err)
			continue
		}
		w.record.Acknowledged = append(w.record.Acknowledged, key)
		gap(key)
		last = time.Now()
	}
}

// write is not cut off when the writer is to stop: its last key counts as well.
func (w *Writer) write(key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, err := w.do(ctx, http.MethodPost, w.url, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": %q}}`, key))
	return err
}

// Stop stops writing.
func (w *Writer) Stop() Record {
	w.cancel()
	<-w.done
	return w.record
}

// Lost returns those of the acknowledged keys that the apiserver at a server's URL has not; "" is the endpoint.
// The writer must have been stopped.
func (w *Writer) Lost(ctx context.Context, server string) ([]string, error) {
	where := w.url
	if server != "" {
		where = configMaps(server)
	}
	answer, err := w.do(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, item := range list.Items {
		there[item.Metadata.Name] = true
	}
	var lost []string
	for _, key := range w.record.Acknowledged {
		if !there[key] {
			lost = append(lost, key)
		}
	}
	return lost, nil
}

// do makes one request and returns the answer, or an error if it is none of success.
func (w *Writer) do(ctx context.Context, method, where string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, where, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}
