package phases

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
)

// What this machine says by itself is told before anybody is waited for who does not answer: a stray file may be why he does not.
func TestToldBeforeAsking(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	if err := os.MkdirAll(s.c.Paths.Manifests, 0o700); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(s.c.Paths.Manifests, "kube-apiserver.yaml.orig")
	if err := os.WriteFile(stray, []byte("{apiVersion: v1, kind: Pod, metadata: {name: kube-apiserver, namespace: kube-system}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	joins := s.c
	joins.Join.Discovery.BootstrapToken = &config.BootstrapTokenDiscovery{Token: joinToken, APIServerEndpoint: "127.0.0.1:1", UnsafeSkipCAVerification: true}
	further := joins
	further.Join.ControlPlane = &config.JoinControlPlane{}
	quiet := func(string) {}
	for name, gather := range map[string]func(context.Context, []string) error{
		"init": func(ctx context.Context, skip []string) error {
			m, err := GatherInit(ctx, s.site, leavingOut(s.c, skip), quiet)
			if err == nil {
				list, _ := Without(Init(), skip)
				_, _, err = Plan(list, m)
			}
			return err
		},
		"join": func(ctx context.Context, skip []string) error {
			_, err := GatherJoin(ctx, s.site, leavingOut(joins, skip), quiet)
			return err
		},
		"join as a master": func(ctx context.Context, skip []string) error {
			_, err := GatherJoin(ctx, s.site, leavingOut(further, skip), quiet)
			return err
		},
		"apply": func(ctx context.Context, skip []string) error {
			_, err := GatherLiving(ctx, s.site, leavingOut(s.c, skip), Wish{Verb: "apply"}, quiet)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			err := gather(ctx, nil)
			var unfit *PreflightError
			if !errors.As(err, &unfit) || !strings.Contains(err.Error(), stray) {
				t.Errorf("got %v", err)
			}
			ctx, stop = context.WithTimeout(t.Context(), time.Second)
			defer stop()
			if err := gather(ctx, []string{"preflight"}); err != nil && strings.Contains(err.Error(), stray) {
				t.Errorf("preflight was left out: %v", err)
			}
		})
	}
}

func leavingOut(c config.Config, skip []string) config.Config {
	c.Node.SkipPhases = skip
	return c
}
