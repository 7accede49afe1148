package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"tripod.dev/tripod/e2e/lab"
)

const (
	kubernetesDir = "/etc/kubernetes"
	kubeletDir    = "/var/lib/kubelet"
	manifestDir   = "/etc/kubernetes/manifests"
	// dataMark is the file among etcd's data without which a static pod of tripod's does not start; kubeadm has none.
	dataMark = "/var/lib/etcd/member/tripod.mark"
)

// floor is the fastest that a kubelet can be: all files of an earlier init are in place when it starts, and manifests
// are handed over as each predecessor gets ready. The controller-manager comes with the apiserver, as it retries fast;
// a scheduler that comes too early backs off, so it comes once the apiserver lives.
func floor(ctx context.Context, b *bench) (s sample, err error) {
	if err := b.remember(ctx); err != nil {
		return s, fmt.Errorf("an earlier init: %w", err)
	}
	n, err := b.lab.Start(ctx, lab.Machine{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := b.lay(n); err != nil {
		return s, err
	}
	unix.Sync()
	began := time.Now()
	err = b.handOver(ctx, n)
	return sample{Seconds: time.Since(began).Seconds()}, err
}

// remember does one init and keeps its files, tripod's if there is a tripod, once for all runs.
func (b *bench) remember(ctx context.Context) error {
	if b.earlier != "" {
		return nil
	}
	name, args := "kubeadm", lab.KubeadmInit(lab.Default)
	if _, err := os.Stat(b.lab.Tripod()); err == nil {
		name, args = b.lab.Tripod(), lab.TripodInit(lab.Default)
	}
	dir, err := os.MkdirTemp(filepath.Join(b.lab.Root, "bin"), "earlier-")
	if err != nil {
		return err
	}
	b.earlier = dir
	_, err = b.onNode(ctx, b.keep, name, args...)
	return err
}

// keep copies what an init has written, but not what the kubelet made of it.
func (b *bench) keep(n *lab.Node) error {
	for _, path := range []string{kubernetesDir, kubeletDir + "/config.yaml", kubeletDir + "/instance-config.yaml", kubeletDir + "/kubeadm-flags.env", kubeletDir + "/pki"} {
		to := filepath.Join(b.earlier, filepath.Dir(path))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		if out, err := exec.Command("cp", "-a", n.Path(path), to).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return os.Rename(filepath.Join(b.earlier, kubeletDir, "config.yaml"), filepath.Join(b.earlier, kubeletDir, "config.yaml.later"))
}

// lay puts the kept files in place, all but the manifests; the one that the kubelet's start waits for has another name.
func (b *bench) lay(n *lab.Node) error {
	for _, dir := range []string{kubernetesDir, kubeletDir} {
		if out, err := exec.Command("cp", "-a", filepath.Join(b.earlier, dir)+"/.", n.Path(dir)).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return errors.Join(os.RemoveAll(n.Path(manifestDir)), os.Mkdir(n.Path(manifestDir), 0o700), b.mark(n))
}

// mark makes the folder of etcd's data as the earlier init did, with the data mark and nothing else in it.
func (b *bench) mark(n *lab.Node) error {
	if err := os.MkdirAll(n.Path(filepath.Dir(dataMark)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(n.Path(dataMark), nil, 0o600)
}

// handOver starts the kubelet and gives it one manifest after the other.
func (b *bench) handOver(ctx context.Context, n *lab.Node) error {
	if err := b.manifest(n, "etcd"); err != nil {
		return err
	}
	if err := os.Rename(n.Path(kubeletDir+"/config.yaml.later"), n.Path(kubeletDir+"/config.yaml")); err != nil {
		return err
	}
	health := lab.NewHealth(n.Dial)
	defer health.Close()
	urls := n.HealthURLs()
	if err := health.Until(ctx, urls.Etcd); err != nil {
		return err
	}
	if err := errors.Join(b.manifest(n, "kube-apiserver"), b.manifest(n, "kube-controller-manager")); err != nil {
		return err
	}
	waits, ctx := errgroup.WithContext(ctx)
	waits.Go(func() error { return health.Until(ctx, urls.ControllerManager) })
	waits.Go(func() error {
		if err := health.Until(ctx, urls.APIServer); err != nil {
			return err
		}
		if err := b.manifest(n, "kube-scheduler"); err != nil {
			return err
		}
		return health.Until(ctx, urls.Scheduler)
	})
	return waits.Wait()
}

// manifest hands one manifest over, whole.
func (b *bench) manifest(n *lab.Node, component string) error {
	data, err := os.ReadFile(filepath.Join(b.earlier, manifestDir, component+".yaml"))
	if err != nil {
		return err
	}
	staged := n.Path(filepath.Join(manifestDir, "."+component))
	if err := os.WriteFile(staged, data, 0o600); err != nil {
		return err
	}
	return os.Rename(staged, n.Path(filepath.Join(manifestDir, component+".yaml")))
}
