package kind_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

// drill says whether to make the clusters that make test leaves out, instead of the others.
func drill() bool { return os.Getenv("TRIPOD_DRILL") != "" }

// An unmodified kind makes whole clusters of our nodes, and everything else that kind does works on them. In the mixed
// clusters nodes of the real kubeadm join tripod's masters, and the other way round.
func TestKindClusters(t *testing.T) {
	l, engine := engine(t)
	tripod, kubeadm := kind.Recipe{}, kind.Recipe{Kubeadm: true}
	for _, test := range []struct {
		name             string
		kind             string
		first, others    kind.Recipe // of the masters: every second one is of the others; workers are all of the others
		masters, workers int
		check            func(context.Context, *testing.T, kind.Cluster)
		drill            bool
	}{
		{"newest-alone", kind.Newest, tripod, tripod, 1, 0, works, true},
		{"newest-workers", kind.Newest, tripod, tripod, 1, 2, worksAndPasses, false},
		{"newest-masters", kind.Newest, tripod, tripod, 3, 0, mastersWork, false},
		{"older-alone", kind.Older, tripod, tripod, 1, 0, works, true},
		{"older-workers", kind.Older, tripod, tripod, 1, 2, works, true},
		{"older-masters", kind.Older, tripod, tripod, 3, 0, mastersWork, false},
		{"kubeadm-worker", kind.Newest, tripod, kubeadm, 1, 1, works, false},
		{"kubeadm-master", kind.Newest, kubeadm, tripod, 1, 1, works, false},
		{"kubeadm-second", kind.Newest, tripod, kubeadm, 3, 0, mastersWork, true},
		{"tripod-second", kind.Newest, kubeadm, tripod, 3, 0, mastersWork, true},
		{"five-masters", kind.Newest, tripod, tripod, 5, 0, mastersWork, true},
	} {
		if test.drill != drill() {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c := kind.Cluster{
				Name: test.name + "-" + strings.ToLower(rand.Text()[:4]), Kind: test.kind, Image: image(ctx, t, l, engine, test.first),
				Masters: test.masters, Workers: test.workers, Wait: 2 * time.Minute, Lab: l, Engine: engine,
				Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"),
			}
			c.SecondImage = image(ctx, t, l, engine, test.others)
			c.WorkerImage = c.SecondImage
			create(ctx, t, c)
			test.check(ctx, t, c)
		})
	}
}

func image(ctx context.Context, t *testing.T, l lab.Lab, e *docker.Engine, r kind.Recipe) string {
	t.Helper()
	name, err := kind.Image(ctx, l, e, r)
	must(t, err)
	return name
}

func worksAndPasses(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	works(ctx, t, c)
	passes(ctx, t, c)
}

// engine returns a docker engine that is stopped at the end, if this test was what started it.
func engine(t *testing.T) (lab.Lab, *docker.Engine) {
	t.Helper()
	l, err := lab.Find()
	if err != nil {
		t.Fatal(err)
	}
	kept := docker.Kept(t.Context(), l)
	if kept != nil {
		return l, kept
	}
	e, err := docker.Open(t.Context(), l)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return l, e
}

func create(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	if err := c.Create(ctx, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("kind create cluster: %.1f s", time.Since(began).Seconds())
}

// works checks a cluster from outside and from inside of its pods.
func works(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	if err := c.Engine.ImportBinary(ctx, filepath.Join(c.Lab.Root, "bin", "e2e", "echo"), "tripod/echo:test"); err != nil {
		t.Fatal(err)
	}
	must(t, c.Run(ctx, "load", "docker-image", "tripod/echo:test", "--name", c.Name))
	for _, args := range [][]string{
		{"wait", "node", "--all", "--for=condition=Ready", "--timeout=60s"},
		{"apply", "-f", "testdata/echo.yaml"},
		{"rollout", "status", "daemonset/echo", "--timeout=60s"},
		{"rollout", "status", "--namespace=kube-system", "daemonset/kube-proxy", "--timeout=60s"},
		{"rollout", "status", "--namespace=kube-system", "deployment/coredns", "--timeout=60s"},
	} {
		kubectl(ctx, t, c, args...)
	}
	reachable(ctx, t, c)
	logs := t.TempDir()
	must(t, c.Run(ctx, "export", "logs", logs, "--name", c.Name))
	if _, err := os.Stat(filepath.Join(logs, c.Node("control-plane", 1), "kubelet.log")); err != nil {
		t.Errorf("kind export logs: %v", err)
	}
	must(t, c.Run(ctx, "get", "kubeconfig", "--name", c.Name))
}

// reachable has the pod of every node ask for a Service by its name until every pod has answered, and for a pod of
// each node by its address.
func reachable(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	pods := strings.Fields(kubectl(ctx, t, c, "get", "pods", "--selector=app=echo", "--output=jsonpath={range .items[*]}{.metadata.name}={.status.podIP} {end}"))
	for _, from := range pods {
		name, _, _ := strings.Cut(from, "=")
		for _, to := range pods {
			_, address, _ := strings.Cut(to, "=")
			ask(ctx, t, c, name, "http://"+address+":8080/")
		}
		answered := map[string]bool{}
		for range 100 {
			answered[ask(ctx, t, c, name, "http://echo.default.svc.cluster.local/")] = true
			if len(answered) == len(pods) {
				break
			}
		}
		if len(answered) < len(pods) {
			t.Errorf("from %s only %v of %v could be reached through the Service", name, answered, pods)
		}
	}
}

// ask has a pod ask a URL, and insists for a while: rules and records reach the nodes one after the other.
func ask(ctx context.Context, t *testing.T, c kind.Cluster, pod, url string) string {
	t.Helper()
	path := fmt.Sprintf("/api/v1/namespaces/default/pods/%s:8080/proxy/ask?url=%s", pod, url)
	for attempt := 0; ; attempt++ {
		out, err := c.Kubectl(ctx, "get", "--raw", path)
		if err == nil {
			return out
		}
		if attempt == 20 {
			t.Fatalf("%s asks %s: %v", pod, url, err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func kubectl(ctx context.Context, t *testing.T, c kind.Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(ctx, args...)
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
