package etcd

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// countedFor is how long is counted what is written through members.
	countedFor = 300 * time.Millisecond
	// metricsLimit is more bytes than any member's metrics have.
	metricsLimit = 4 << 20
)

// writtenThrough is how many writes each of the members has carried out for its own clients in a moment, by its ID. A member that
// can not be asked twice has none.
func writtenThrough(ctx context.Context, members []Peer, trust *tls.Config) map[uint64]float64 {
	counts := make([]float64, len(members))
	each(len(members), func(i int) {
		before, err := writes(ctx, members[i], trust)
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(countedFor):
		}
		// A member that was started anew meanwhile counts from the beginning again.
		if after, err := writes(ctx, members[i], trust); err == nil && after > before {
			counts[i] = after - before
		}
	})
	written := map[uint64]float64{}
	for i, p := range members {
		written[p.ID] = counts[i]
	}
	return written
}

// writes counts what the member has written for its clients since it was started, by its metrics. An apiserver writes by
// transactions.
func writes(ctx context.Context, p Peer, trust *tls.Config) (float64, error) {
	u, err := url.Parse(p.ClientURLs[0])
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{TLSClientConfig: tolerantly(trust)(u.Hostname()), DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("metrics").String(), nil)
	if err != nil {
		return 0, err
	}
	answer, err := (&http.Client{Transport: transport, Timeout: readTimeout}).Do(request)
	if err != nil {
		return 0, fmt.Errorf("counting what is written through etcd at %s: %w", u.Host, err)
	}
	defer answer.Body.Close()
	return writesIn(io.LimitReader(answer.Body, metricsLimit))
}

// writesIn adds up the calls that write among metrics.
func writesIn(metrics io.Reader) (sum float64, err error) {
	lines := bufio.NewScanner(metrics)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if !strings.HasPrefix(name, "grpc_server_handled_total{") || !strings.Contains(name, `grpc_method="Txn"`) && !strings.Contains(name, `grpc_method="Put"`) {
			continue
		}
		count, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, fmt.Errorf("reading etcd's metrics: %w", err)
		}
		sum += count
	}
	return sum, lines.Err()
}
