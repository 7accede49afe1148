package phases

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

const (
	// podGrace is how many seconds the containers of a pod have to end by themselves, apiserverGrace those of an apiserver:
	// one whose etcd has left the cluster never does.
	podGrace, apiserverGrace = 10, 3
	// podsAtOnce is how many pods are ended at the same time, podsNamed how many a line of the plan names.
	podsAtOnce, podsNamed = 16, 8
	// dataWithin is the time for an etcd that is ending to let go of its data.
	dataWithin = 10 * time.Second
)

func tmpDir(c config.Config) string { return filepath.Join(c.Paths.Kubernetes, "tmp") }

// confirmLeft asks once more, before anything goes, whether the member is out: the phases can be run alone, too.
func (m Master) confirmLeft() []Change {
	p := m.departure().member
	if p == nil || m.skips(leaveEtcdPhase) {
		return nil
	}
	return []Change{{Verb: "confirm", What: "that etcd goes on without " + p.String(), do: func(ctx context.Context, _ Site) error {
		now, err := etcd.Survey(ctx, m.etcdCluster().Endpoints(), m.trust()["etcd"])
		if err == nil {
			err = now.Quorum()
		}
		if _, still := now.ByID(p.ID); err == nil && still {
			err = fmt.Errorf("%s is one of its members\nhint: tripod reset phase %s takes it out", p, leaveEtcdPhase)
		}
		if err != nil {
			return &PreflightError{m.stays(err)}
		}
		return nil
	}}}
}

// clearing empties a directory.
func clearing(what, dir string) []Change {
	return []Change{{Verb: "clear", What: fmt.Sprintf("%s (%s)", dir, what), do: func(_ context.Context, s Site) error { return s.Host.Clear(dir) }}}
}

// remove wants files gone, in their order.
func (m Master) remove(paths []string) []Change {
	if len(paths) == 0 {
		return nil
	}
	return []Change{{Verb: "remove", What: strings.Join(paths, ", "), do: func(_ context.Context, s Site) error {
		for _, path := range paths {
			if err := s.Host.Remove(path); err != nil {
				return err
			}
		}
		return nil
	}}}
}

// stopKubelet wants no kubelet that runs, nor one that would come up again.
func (m Master) stopKubelet() []Change {
	if !m.Leaving.KubeletRuns && !(m.Leaving.KubeletKept && len(m.startsKubelet()) > 0) {
		return nil
	}
	return []Change{{Verb: "stop", What: "kubelet", do: func(ctx context.Context, s Site) error { return s.Host.StopKubelet(ctx) }}}
}

// endPods wants every pod gone that a kubelet has made here, those too that it has made since the facts were read.
func (m Master) endPods() []Change {
	if m.Survey.Runtime.Err != nil || len(m.Leaving.Sandboxes) == 0 && !m.Leaving.KubeletRuns {
		return nil
	}
	return []Change{{Verb: "end", What: podList(m.Leaving.Sandboxes), do: func(ctx context.Context, s Site) error {
		now, err := s.Kubelet.Sandboxes(ctx)
		if err != nil {
			return err
		}
		if len(now) > 0 {
			s.tell("ending " + podList(now))
		}
		err = m.endInOrder(ctx, s, now)
		switch {
		case err != nil && ignored(m, "CRI"):
			s.tell(err.Error())
		case err != nil:
			return fmt.Errorf("%w\nhint: look for what stands in its way, as a pod network whose configuration is gone; --ignore-preflight-errors=CRI leaves such pods", err)
		}
		return nil
	}}}
}

// endInOrder ends etcd last, which the apiserver needs to end by itself.
func (m Master) endInOrder(ctx context.Context, s Site, pods []host.Sandbox) error {
	isEtcd := func(p host.Sandbox) bool {
		return p.Namespace == "kube-system" && p.Name == "etcd-"+m.Node.Registration.Name
	}
	rest := slices.DeleteFunc(slices.Clone(pods), isEtcd)
	last := slices.DeleteFunc(slices.Clone(pods), func(p host.Sandbox) bool { return !isEtcd(p) })
	return errors.Join(endAll(ctx, s.Kubelet, rest), endAll(ctx, s.Kubelet, last))
}

func endAll(ctx context.Context, k *host.Kubelet, pods []host.Sandbox) error {
	errs := make([]error, len(pods))
	var all errgroup.Group
	all.SetLimit(podsAtOnce)
	for i, pod := range pods {
		all.Go(func() error {
			errs[i] = k.End(ctx, pod, grace(pod))
			return nil
		})
	}
	_ = all.Wait()
	return errors.Join(errs...)
}

func grace(pod host.Sandbox) int64 {
	if pod.Namespace == "kube-system" && strings.HasPrefix(pod.Name, "kube-apiserver-") {
		return apiserverGrace
	}
	return podGrace
}

func podList(pods []host.Sandbox) string {
	var names []string
	for _, p := range pods {
		names = append(names, p.String())
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > podsNamed {
		names = append(names[:podsNamed], fmt.Sprintf("and %d more", len(names)-podsNamed))
	}
	if len(names) == 0 {
		return "pods that the kubelet may be starting"
	}
	return strings.Join(names, ", ")
}

// unmount wants nothing mounted below the kubelet's directory, whose files could be somebody else's otherwise. A kubelet
// that runs may still mount something.
func (m Master) unmount() []Change {
	if len(m.Leaving.Mounts) == 0 && !m.Leaving.KubeletRuns {
		return nil
	}
	return []Change{{Verb: "unmount", What: fmt.Sprintf("volumes below %s (%d)", m.Paths.Kubelet, len(m.Leaving.Mounts)), do: func(_ context.Context, s Site) error {
		err := s.Host.UnmountBelow(m.Paths.Kubelet, unmountFlags(m.Reset.UnmountFlags))
		if err != nil {
			return fmt.Errorf("%w\nhint: end who uses it, or give unmountFlags in a ResetConfiguration", err)
		}
		return nil
	}}}
}

// unmountFlags are those of umount2(2).
func unmountFlags(names []string) int {
	flags := 0
	for _, name := range names {
		flags |= map[string]int{"MNT_FORCE": unix.MNT_FORCE, "MNT_DETACH": unix.MNT_DETACH, "MNT_EXPIRE": unix.MNT_EXPIRE, "UMOUNT_NOFOLLOW": unix.UMOUNT_NOFOLLOW}[name]
	}
	return flags
}

// clearEtcd wants etcd's data gone. Its manifest and its pod are by then; whoever has the data open all the same is
// nobody of ours.
func (m Master) clearEtcd() []Change {
	all := m.clear("etcd's data", m.Paths.EtcdData)
	for i, c := range all {
		all[i].do = func(ctx context.Context, s Site) error {
			if err := m.letGo(ctx, s); err != nil {
				return err
			}
			if m.outlived(s) {
				return m.keepData(ctx, s)
			}
			return c.do(ctx, s)
		}
	}
	return all
}

// letGo waits until no etcd has the data open.
func (m Master) letGo(ctx context.Context, s Site) error {
	for until := time.Now().Add(dataWithin); ; {
		_, err := etcd.Stored(s.Host.Path(m.Paths.EtcdData))
		if !errors.Is(err, etcd.ErrRunning) {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("%w\nhint: it is no pod of this machine's kubelet: stop it", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(probeEvery):
		}
	}
}
