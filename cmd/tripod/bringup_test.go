package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// nobody runs no pods.
type nobody struct{}

func (nobody) Start(context.Context) error { return nil }
func (nobody) Alive(context.Context) error { return errors.New("nobody is there") }
func (nobody) Pod(context.Context, string) (host.Running, error) {
	return host.Running{}, nil
}

// certsOf is a run that makes certificates below a directory.
func certsOf(t *testing.T, out *bytes.Buffer) bringUp {
	t.Helper()
	o := config.Overrides{Root: t.TempDir(), Loopback: netip.MustParseAddr("127.66.0.2"), AdvertiseAddress: "127.66.0.2",
		NodeName: "node-1", KubernetesVersion: "v1.36.3"}
	c, _, err := config.Load(nil, "", o, config.Machine{Hostname: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	return bringUp{verb: "init", config: c, site: phases.Site{Host: host.Open("/"), Runner: nobody{}},
		list: phases.Only(phases.Init(), "certs"), progress: newProgress(out, "text")}
}

func TestBringUp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := certsOf(t, &out)
	ended, _, err := b.run(t.Context())
	if err != nil || len(ended) != 1 || ended[0].Phase != "certs" {
		t.Fatalf("%v, %v", ended, err)
	}
	if !strings.Contains(out.String(), "[certs] create "+b.config.Paths.PKI+"/ca.key (0600) and ca.crt (0644)\n") {
		t.Errorf("told:\n%s", out.String())
	}
	if _, err := os.Stat(filepath.Join(b.config.Paths.PKI, "sa.key")); err != nil {
		t.Error(err)
	}
	out.Reset()
	if _, _, err := b.run(t.Context()); err != nil || strings.Contains(out.String(), "create") {
		t.Errorf("a second run: %v\n%s", err, out.String())
	}
}

// Of two on one host, the second is told who the first is, and changes nothing.
func TestBringUpIsAlone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := certsOf(t, &out)
	unlock, err := b.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, _, err = b.run(t.Context())
	var locked *host.Locked
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || exitCode(err) != exitFailed {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(errorText(&out, err), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("not named: %v", err)
	}
	if _, err := os.Stat(b.config.Paths.PKI); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// A plan that is only shown, or that can't be made, leaves nothing behind: no directory, no lock.
func TestBringUpLeavesNothing(t *testing.T) {
	t.Parallel()
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	for name, tt := range map[string]struct {
		ctx    context.Context
		change func(*bringUp)
		fails  bool
	}{
		"dry-run":     {t.Context(), func(b *bringUp) { b.show = showPlan{dryRun: true, to: io.Discard, notes: io.Discard} }, false},
		"bad input":   {t.Context(), func(b *bringUp) { b.list = phases.Only(phases.Init(), "etcd") }, true},
		"interrupted": {interrupted, func(*bringUp) {}, true},
	} {
		b := certsOf(t, new(bytes.Buffer))
		tt.change(&b)
		if _, _, err := b.run(tt.ctx); (err != nil) != tt.fails {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(filepath.Dir(b.config.Paths.Kubernetes))); err != nil || len(entries) > 0 {
			t.Errorf("%s left %v, %v", name, entries, err)
		}
	}
}
