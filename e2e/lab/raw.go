package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Raw is a control plane of nothing but the four processes, with the flags that kubeadm gives them, at a loopback
// address of its own. Keys, certificates and kubeconfigs are kubeadm's, made beforehand.
type Raw struct {
	Addr netip.Addr

	lab     Lab
	version string
	scratch scratch
	health  Health
	running []*exec.Cmd
}

// PrepareRaw makes everything that the processes need and starts none. The caller closes it.
func (l Lab) PrepareRaw(ctx context.Context, version string, addr netip.Addr) (*Raw, error) {
	dir, err := l.newScratch("raw")
	if err != nil {
		return nil, err
	}
	r := &Raw{Addr: addr, lab: l, version: version, scratch: dir, health: NewHealth(nil)}
	if err := r.credentials(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Kubeconfig is the administrator's.
func (r *Raw) Kubeconfig() string { return filepath.Join(r.scratch.path, "admin.conf") }

// Up starts the processes one by one, each as soon as the one before is ready.
func (r *Raw) Up(ctx context.Context) error {
	urls := HealthURLs(r.Addr.String(), r.Addr.String())
	for _, step := range []struct {
		binary string
		flags  []string
		ready  string
	}{
		{"etcd", r.etcd(), urls.Etcd},
		{"kube-apiserver", r.apiserver(), urls.APIServer},
		{"kube-controller-manager", r.controllerManager(), urls.ControllerManager},
		{"kube-scheduler", r.scheduler(), urls.Scheduler},
	} {
		if err := r.run(ctx, step.binary, step.flags, step.ready); err != nil {
			return err
		}
	}
	return nil
}

// run starts one process and waits until it is ready.
func (r *Raw) run(ctx context.Context, binary string, flags []string, ready string) error {
	log, err := os.Create(filepath.Join(r.scratch.path, binary+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(r.lab.Component(r.version, binary), flags...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.running = append(r.running, cmd)
	if err := r.health.Until(ctx, ready); err != nil {
		return fmt.Errorf("%s: %w\n%s", binary, err, lastLines(log.Name(), 20))
	}
	return nil
}

// Close kills the processes and removes all that they had.
func (r *Raw) Close() error {
	r.health.Close()
	for _, cmd := range r.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return r.scratch.remove()
}
