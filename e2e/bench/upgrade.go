package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tripod.dev/tripod/e2e/lab"
)

// unfit are the preflight errors that say something about these machines: they have no pod network, nobody runs a Job.
const unfit = lab.Ignored + ",ControlPlaneNodesReady,CreateJob"

// upgrade times an upgrade by one minor version of a master that kubeadm has made.
func upgrade(program string) func(context.Context, *bench) (sample, error) {
	return func(ctx context.Context, b *bench) (s sample, err error) {
		n, err := b.lab.Start(ctx, lab.Machine{Version: lab.PreviousMinor})
		if err != nil {
			return s, err
		}
		defer func() { err = errors.Join(err, n.Close()) }()
		if _, err := n.Run(ctx, "kubeadm", lab.KubeadmInit(lab.PreviousMinor)...); err != nil {
			return s, err
		}
		if program == "kubeadm" {
			program = b.lab.Component(lab.Default, "kubeadm")
		}
		unix.Sync()
		return timed(n.Command(ctx, program, "upgrade", "apply", lab.Default, "--yes", unfit))
	}
}

// nothingToApply times tripod apply where nothing is to change.
func nothingToApply(ctx context.Context, b *bench) (s sample, err error) {
	n, err := b.lab.Start(ctx, lab.Machine{})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if _, err := n.Run(ctx, "tripod", lab.TripodInit(lab.Default)...); err != nil {
		return s, err
	}
	return timed(n.Command(ctx, "tripod", "apply", unfit))
}

// apiserverAway upgrades three masters one after the other, and takes the longest time for which the apiserver of the one that is
// upgraded did not answer.
func apiserverAway(ctx context.Context, b *bench) (s sample, err error) {
	network, err := b.lab.NewNetwork(ctx)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	masters, end, err := b.threeMasters(ctx, network)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return s, err
	}
	for i, n := range masters {
		args := []string{"upgrade", "node", unfit}
		if i == 0 {
			args = []string{"upgrade", "apply", lab.Default, "--yes", unfit}
		}
		away := watchAway(ctx, n)
		if _, err := n.Run(ctx, "tripod", args...); err != nil {
			return s, err
		}
		s.Seconds = max(s.Seconds, away().Seconds())
	}
	return s, nil
}

// threeMasters are three masters of the earlier minor version; end ends them.
func (b *bench) threeMasters(ctx context.Context, network *lab.Network) (masters []*lab.Node, end func() error, err error) {
	var closers []func() error
	end = func() error {
		var errs []error
		for _, c := range slices.Backward(closers) {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	at := func(number byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 88, 0, 1 + number}) }
	endpoint, err := network.NewEndpoint(at(1), at(2), at(3))
	if err != nil {
		return nil, end, err
	}
	closers = append(closers, endpoint.Close)
	args := append(lab.TripodInit(lab.PreviousMinor), "--control-plane-endpoint="+endpoint.Address.String(), "--upload-certs")
	for number := range byte(3) {
		n, err := b.lab.Start(ctx, lab.Machine{Version: lab.PreviousMinor, Name: fmt.Sprintf("master-%d", number+1), Addr: at(number + 1), Network: network})
		if err != nil {
			return nil, end, err
		}
		masters, closers = append(masters, n), append(closers, n.Close)
		out, err := n.Run(ctx, "tripod", args...)
		if err != nil {
			return nil, end, err
		}
		if number == 0 {
			args = append(joinCommand(out), lab.Ignored)
		}
	}
	return masters, end, nil
}

// joinCommand is the line by which masters join among what init has printed.
func joinCommand(out string) []string {
	for line := range strings.Lines(strings.ReplaceAll(out, "\\\n", " ")) {
		if words := strings.Fields(line); len(words) > 2 && words[1] == "join" && slices.Contains(words, "--control-plane") {
			return words[1:]
		}
	}
	return []string{"join"}
}

// watchAway asks a master's apiserver all the time. away ends that, and is the longest time between an answer and the next one that
// says that it is ready, with none between.
func watchAway(ctx context.Context, n *lab.Node) (away func() time.Duration) {
	ctx, stop := context.WithCancel(ctx)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: n.Dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	longest := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		last, lost := time.Now(), false
		for ctx.Err() == nil {
			answer, err := client.Get("https://" + n.Addr.String() + ":6443/readyz")
			switch {
			case err != nil:
				lost = true
			case !lost:
				last = time.Now()
			case answer.StatusCode == http.StatusOK:
				most, last, lost = max(most, time.Since(last)), time.Now(), false
			}
			if err == nil {
				_ = answer.Body.Close()
			}
			time.Sleep(20 * time.Millisecond)
		}
		longest <- most
	}()
	return func() time.Duration {
		stop()
		return <-longest
	}
}
