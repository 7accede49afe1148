package phases

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
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

const (
	// letsGo is how long an apiserver that has answered all may take to end, once it has stopped to listen: its clients have to
	// hear that they are to go elsewhere, which on a busy machine takes longer than a second.
	letsGo = 2 * time.Second
	// answersFor is the time for what it is answering, where an apiserver stops to listen before it has.
	answersFor = 5 * time.Second
	// endsWithin is the time for all of it: what takes longer is cut off.
	endsWithin = 25 * time.Second
)

// cutOff ends an apiserver that has drained. By itself it waits for those who watch, too (genericapiserver.go: the HTTP server's
// shutdown), for as long as a request may take; they watch on elsewhere. One that sends Retry-After listens until it has
// answered what it was asked, others do not listen any more while they answer.
func (s Site) cutOff(ctx context.Context, m Master) {
	apiserver, err := s.process(ctx, "kube-apiserver")
	if err != nil {
		return // it has ended
	}
	defer apiserver.Close()
	probe, drains := m.before().apiserverProbe(), answersFor
	if manifests.ManifestFlags(m.earlierManifest("kube-apiserver"))[sendRetryAfter] == "true" {
		drains = letsGo
	}
	address := net.JoinHostPort(cmp.Or(probe.Host, m.Loopback.String()), strconv.Itoa(probe.Port))
	begun := time.Now()
	for refused := (time.Time{}); ; {
		if listens(address) {
			refused = time.Time{}
		} else if refused.IsZero() {
			refused = time.Now()
		}
		if late := time.Since(begun) > endsWithin; late || !refused.IsZero() && time.Since(refused) > drains {
			s.tell(cutting(s.Host.Connections(apiserver, uint16(probe.Port)), late || drains == answersFor))
			_ = apiserver.Kill() // or it has ended
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(probeEvery):
		}
	}
}

// cutting says whom the end of an apiserver cuts off.
func cutting(connections int, asked bool) string {
	if asked {
		return fmt.Sprintf("the apiserver ends, and with it its connections (%d): of who watches, and of what is not answered yet", connections)
	}
	return fmt.Sprintf("the apiserver has answered all, and ends; who watches (connections: %d) watches on elsewhere", connections)
}

// process is that which runs of a component.
func (s Site) process(ctx context.Context, component string) (host.Process, error) {
	running, err := s.Runner.Pod(ctx, component)
	if err != nil {
		return host.Process{}, err
	}
	p, err := host.OpenProcess(running.PID)
	if err != nil {
		return p, err
	}
	if again, err := s.Runner.Pod(ctx, component); err != nil || again.PID != p.PID {
		_ = p.Close() // its number may be another's by now
		return host.Process{}, fmt.Errorf("%s has ended", component)
	}
	return p, nil
}

// listens says whether somebody takes connections at the address.
func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, answerWithin)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
