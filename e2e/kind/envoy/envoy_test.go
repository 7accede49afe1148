package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The files of testdata are as kind v0.33.0 writes them, for a cluster "tripod" of three masters.
func TestParse(t *testing.T) {
	t.Parallel()
	p, err := readBootstrap("testdata/envoy.yaml")
	if err != nil || p != (paths{clusters: "/home/envoy/cds.yaml", listeners: "/home/envoy/lds.yaml"}) {
		t.Errorf("bootstrap: %+v, %v", p, err)
	}
	l, err := parse[listener]([]byte(read(t, "lds.yaml")))
	if err != nil || l.followable() != nil || l.Address.String() != "0.0.0.0:6443" {
		t.Errorf("listener: %+v, %v", l, err)
	}
	c, err := parse[cluster]([]byte(read(t, "cds.yaml")))
	if err != nil || c.followable() != nil {
		t.Fatalf("cluster: %+v, %v", c, err)
	}
	want := []string{"tripod-control-plane:6443", "tripod-control-plane2:6443", "tripod-control-plane3:6443"}
	if diff := cmp.Diff(want, c.addresses()); diff != "" {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
	if c.ConnectTimeout != duration(250*time.Millisecond) || c.HealthChecks[0].Interval != duration(2*time.Second) {
		t.Errorf("cluster: %+v", c)
	}
	if none, err := parse[cluster]([]byte("resources: []")); none != nil || err != nil {
		t.Errorf("of no resources: %+v, %v", none, err)
	}
}

func TestNotFollowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, want string }{
		{"ROUND_ROBIN", "LEAST_REQUEST", "ROUND_ROBIN"},
		{"STRICT_DNS", "STATIC", "STRICT_DNS"},
		{"healthy_threshold: 1", "healthy_threshold: 3", "one success"},
		{"path: /healthz", "path: ''", "HTTP health check"},
		{"  lb_policy: ROUND_ROBIN", "  lb_policy: ROUND_ROBIN\n  common_lb_config: {}", "common_lb_config"},
	} {
		t.Run(test.new, func(t *testing.T) {
			t.Parallel()
			b := &balancer{}
			defer b.close()
			err := b.takeCluster(t.Context(), []byte(strings.Replace(read(t, "cds.yaml"), test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v does not name %q", err, test.want)
			}
		})
	}
}

// Who gets the connections, by what the health checks say.
func TestBalance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status []int // of the backends' health; 0: nothing listens there
		want   map[string]int
	}{
		{"all", []int{200, 200, 200}, map[string]int{"0": 10, "1": 10, "2": 10}},
		{"one unhealthy", []int{200, 500, 200}, map[string]int{"0": 15, "2": 15}},
		{"one away", []int{0, 200, 200}, map[string]int{"1": 15, "2": 15}},
		{"half", []int{200, 500, 200, 500}, map[string]int{"0": 15, "2": 15}},
		{"less than half", []int{500, 500, 200}, map[string]int{"0": 10, "1": 10, "2": 10}},
		{"one there", []int{0, 0, 200}, map[string]int{"2": 10, "turned away": 20}},
		{"none", []int{0, 0, 0}, map[string]int{"turned away": 30}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			startEnvoy(t, backends(t, test.status)).until(test.want)
		})
	}
}

// A backend that stops being healthy is left out, and comes back; a file that is not followed changes nothing.
func TestFollow(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusOK)
	e := startEnvoy(t, []string{backend0(t, &status), backend1(t)})
	e.until(map[string]int{"0": 5, "1": 5})
	status.Store(http.StatusInternalServerError)
	e.until(map[string]int{"1": 10})
	status.Store(http.StatusOK)
	e.until(map[string]int{"0": 5, "1": 5})
	e.replace("cds.yaml", "resources: [{type: LOGICAL_DNS}]")
	time.Sleep(3 * lookEvery)
	e.until(map[string]int{"0": 5, "1": 5})
	e.replace("cds.yaml", e.clusters(backend1(t)))
	e.until(map[string]int{"1": 10})
	e.replace("cds.yaml", "resources: []")
	e.until(map[string]int{"turned away": 10})
}

// running is the program with files of its own.
type running struct {
	t    *testing.T
	dir  string
	port string
}

// startEnvoy starts it as kind does: with files that say nothing, which are then replaced.
func startEnvoy(t *testing.T, addresses []string) running {
	t.Helper()
	e := running{t: t, dir: t.TempDir(), port: freePort(t)}
	e.replace("envoy.yaml", strings.ReplaceAll(read(t, "envoy.yaml"), "/home/envoy", e.dir))
	e.replace("cds.yaml", "resources: []")
	e.replace("lds.yaml", "resources: []")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, filepath.Join(e.dir, "envoy.yaml")) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	e.replace("cds.yaml", e.clusters(addresses...))
	e.replace("lds.yaml", strings.NewReplacer("0.0.0.0", "127.0.0.1", "6443", e.port).Replace(read(t, "lds.yaml")))
	e.listens()
	return e
}

// clusters is kind's file for other backends, which are looked at more often.
func (e running) clusters(addresses ...string) string {
	head, _, _ := strings.Cut(read(e.t, "cds.yaml"), "      - endpoint:")
	head = strings.NewReplacer("interval: 2s", "interval: 0.02s", "interval: 3s", "interval: 0.02s").Replace(head)
	for _, a := range addresses {
		host, port, _ := strings.Cut(a, ":")
		head += fmt.Sprintf("      - endpoint: {address: {socket_address: {address: %s, port_value: %s}}}\n", host, port)
	}
	return head
}

func (e running) replace(name, content string) {
	e.t.Helper()
	staged := filepath.Join(e.dir, name+".tmp")
	if err := os.WriteFile(staged, []byte(content), 0o644); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Rename(staged, filepath.Join(e.dir, name)); err != nil {
		e.t.Fatal(err)
	}
}

// listens waits until somebody listens. The request that finds out is somebody's turn, and over before the first one that
// counts. To try to listen there oneself would be nobody's, but take the address at the wrong moment.
func (e running) listens() {
	e.t.Helper()
	client := insecure()
	for range 500 {
		answer, err := client.Get("https://127.0.0.1:" + e.port + "/name")
		if err == nil {
			_ = answer.Body.Close()
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	e.t.Fatal("nobody listens")
}

// until wants answers in the end: the files are looked at one after the other, and 0.25 s to connect may be too short
// where others compute.
func (e running) until(want map[string]int) {
	e.t.Helper()
	count := 0
	for _, n := range want {
		count += n
	}
	var got map[string]int
	for range 200 {
		if got = e.answers(count); cmp.Equal(want, got) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.t.Fatalf("got %v instead of %v", got, want)
}

func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
}

// answers counts who answers a number of requests.
func (e running) answers(count int) map[string]int {
	client := insecure()
	got := map[string]int{}
	for range count {
		answer, err := client.Get("https://127.0.0.1:" + e.port + "/name")
		if err != nil {
			got["turned away"]++
			continue
		}
		name, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		got[string(name)]++
	}
	return got
}

// backends start servers with their numbers as names and return their addresses.
func backends(t *testing.T, status []int) []string {
	var all []string
	for i, s := range status {
		if s == 0 {
			all = append(all, "127.0.0.1:"+freePort(t))
			continue
		}
		var health atomic.Int32
		health.Store(int32(s))
		all = append(all, serve(t, strconv.Itoa(i), &health))
	}
	return all
}

func backend0(t *testing.T, health *atomic.Int32) string { return serve(t, "0", health) }

func backend1(t *testing.T) string {
	var health atomic.Int32
	health.Store(http.StatusOK)
	return serve(t, "1", &health)
}

func serve(t *testing.T, name string, health *atomic.Int32) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(health.Load())) })
	mux.HandleFunc("/name", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
