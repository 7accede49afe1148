package kind_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

// failover is how long the API may stay away when a master is lost: an election of etcd's, and the balancer's checks.
const failover = 30 * time.Second

// mastersWork checks a cluster of several masters, and that it outlives the one that leads etcd.
func mastersWork(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	leader := allVote(ctx, t, c)
	wantEndpoints(ctx, t, c)
	works(ctx, t, c)
	for master := range c.Masters {
		wantOwnEtcd(ctx, t, c, master+1)
	}
	outlives(ctx, t, c, leader)
}

// member is an etcd member as etcdctl shows it; its name is its node's.
type member struct {
	ID        uint64
	Name      string `json:"name"` // "" until it has started
	IsLearner bool   `json:"isLearner"`
}

// allVote wants as many healthy voters as there are masters and one leader, whose name it returns. The first and the
// last to come are asked, as both must know the same.
func allVote(ctx context.Context, t *testing.T, c kind.Cluster) (leader string) {
	t.Helper()
	for _, asked := range []int{1, c.Masters} {
		list := etcdctl[struct{ Members []member }](ctx, t, c, asked, "member", "list")
		if len(list.Members) != c.Masters || slices.ContainsFunc(list.Members, func(m member) bool { return m.Name == "" || m.IsLearner }) {
			t.Fatalf("not %d started voters: %+v", c.Masters, list.Members)
		}
		leader = leaderOf(ctx, t, c, asked, list.Members)
		for _, e := range etcdctl[[]struct {
			Endpoint string
			Health   bool
		}](ctx, t, c, asked, "endpoint", "health", "--cluster") {
			if !e.Health {
				t.Errorf("%s is not healthy", e.Endpoint)
			}
		}
	}
	return leader
}

// leaderOf wants all members to name the same one as their leader.
func leaderOf(ctx context.Context, t *testing.T, c kind.Cluster, asked int, members []member) string {
	t.Helper()
	leaders := map[uint64]bool{}
	all := etcdctl[[]struct{ Status struct{ Leader uint64 } }](ctx, t, c, asked, "endpoint", "status", "--cluster")
	for _, s := range all {
		leaders[s.Status.Leader] = true
	}
	i := slices.IndexFunc(members, func(m member) bool { return leaders[m.ID] })
	if len(all) != c.Masters || len(leaders) != 1 || i < 0 {
		t.Fatalf("not one leader of %d members: %+v", c.Masters, all)
	}
	return members[i].Name
}

// etcdctl asks the etcd of a master.
func etcdctl[T any](ctx context.Context, t *testing.T, c kind.Cluster, master int, args ...string) (answer T) {
	t.Helper()
	const pki = "/etc/kubernetes/pki/etcd/"
	out, err := c.Engine.Run(ctx, append([]string{
		"exec", c.Node("control-plane", master), "etcdctl", "--endpoints=https://127.0.0.1:2379", "--write-out=json",
		"--cacert=" + pki + "ca.crt", "--cert=" + pki + "healthcheck-client.crt", "--key=" + pki + "healthcheck-client.key",
	}, args...)...)
	must(t, err)
	must(t, json.Unmarshal([]byte(out), &answer))
	return answer
}

// wantOwnEtcd wants a master's apiserver to be connected to the etcd beside it, and to no other one.
func wantOwnEtcd(ctx context.Context, t *testing.T, c kind.Cluster, master int) {
	t.Helper()
	node := c.Node("control-plane", master)
	out, err := c.Engine.Run(ctx, "exec", "--privileged", node, "ss", "--no-header", "--tcp", "--numeric", "--processes", "state", "established", "dport", "=", ":2379")
	must(t, err)
	own := 0
	for line := range strings.Lines(out) {
		fields := strings.Fields(line) // received, sent, here, there, who
		switch {
		case len(fields) < 5 || !strings.Contains(fields[4], `"kube-apiserver"`):
		case fields[3] == "127.0.0.1:2379":
			own++
		default:
			t.Errorf("the apiserver of %s asks the etcd at %s", node, fields[3])
		}
	}
	if own == 0 {
		t.Errorf("the apiserver of %s is not connected to its etcd:\n%s", node, out)
	}
}

// wantEndpoints wants every apiserver behind the Service kubernetes.
func wantEndpoints(ctx context.Context, t *testing.T, c kind.Cluster) {
	t.Helper()
	must(t, lab.Until(ctx, "endpoints of the Service kubernetes", func(ctx context.Context) error {
		out, err := c.Kubectl(ctx, "get", "endpointslices", "--selector=kubernetes.io/service-name=kubernetes", "--output=jsonpath={.items[*].endpoints[*].addresses[*]}")
		if err == nil && len(strings.Fields(out)) != c.Masters {
			err = fmt.Errorf("they are %s", out)
		}
		return err
	}))
}

// outlives stops a master and wants reads and writes through the balancer to work again soon, and to go on working.
func outlives(ctx context.Context, t *testing.T, c kind.Cluster, master string) {
	t.Helper()
	began := time.Now()
	_, err := c.Engine.Run(ctx, "stop", master)
	must(t, err)
	ctx, cancel := context.WithTimeout(ctx, failover)
	defer cancel()
	written := 0
	must(t, lab.Until(ctx, "ten writes one after the other without "+master, func(ctx context.Context) error {
		for range 10 {
			if err := writeAndRead(ctx, c, fmt.Sprint("outlived-", written)); err != nil {
				return err
			}
			written++
		}
		return nil
	}))
	t.Logf("without %s the API is back after %.1f s", master, time.Since(began).Seconds())
}

// writeAndRead leaves a ConfigMap. That it is there already is no error: the answer to an earlier try may have been lost.
func writeAndRead(ctx context.Context, c kind.Cluster, name string) error {
	out, err := c.Kubectl(ctx, "create", "configmap", name, "--request-timeout=5s")
	if err != nil && !strings.Contains(out, "AlreadyExists") {
		return err
	}
	out, err = c.Kubectl(ctx, "get", "configmap", name, "--request-timeout=5s", "--output=name")
	if err == nil && strings.TrimSpace(out) != "configmap/"+name {
		err = errors.New("it reads " + out)
	}
	return err
}
