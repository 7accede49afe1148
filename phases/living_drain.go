package phases

import (
	"cmp"
	"context"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// takeAway removes the manifests of components, whose ways back these are, and waits until what ran by them has stopped.
func (s Site) takeAway(ctx context.Context, m Master, ways []retreat) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, way := range ways {
		component := way.proof.Component
		grace := manifests.Grace(m.earlierManifest(component))
		if err := s.mayAct(ctx); err != nil {
			return err
		}
		s.back.add(way)
		if err := s.Host.Remove(manifestPath(m, component)); err != nil {
			return err
		}
		host.Killpoint("manifest of " + component + " taken away")
		all.Go(func() error { return s.stopped(ctx, m, component, grace) })
	}
	return all.Wait()
}

// stopped returns when nothing runs of a component whose manifest has been taken away. It has so long to end by itself.
func (s Site) stopped(ctx context.Context, m Master, component string, grace time.Duration) error {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	if component == "kube-apiserver" {
		go s.cutOff(ctx, m)
	}
	if s.Kubelet != nil {
		return s.Kubelet.Stop(ctx, component, grace)
	}
	return s.ended(ctx, component)
}

// drainsFor is the time for requests that are being answered when an apiserver has stopped to listen.
const drainsFor = time.Second

// cutOff ends an apiserver that has drained. By itself it waits for those who watch, too (genericapiserver.go: the HTTP server's
// shutdown), for as long as a request may take; they watch on elsewhere.
func (s Site) cutOff(ctx context.Context, m Master) {
	probe := m.before().apiserverProbe()
	address := net.JoinHostPort(cmp.Or(probe.Host, m.Loopback.String()), strconv.Itoa(probe.Port))
	pid := m.Running["kube-apiserver"].PID
	for refused := (time.Time{}); pid != 0; {
		if conn, err := net.DialTimeout("tcp", address, answerWithin); err == nil {
			_ = conn.Close()
			refused = time.Time{}
		} else if refused.IsZero() {
			refused = time.Now()
		}
		if !refused.IsZero() && time.Since(refused) > drainsFor {
			_ = syscall.Kill(pid, syscall.SIGKILL) // or it has ended
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(probeEvery):
		}
	}
}
