package phases

import (
	"context"
	"os"
	"testing"

	"tripod.dev/tripod/internal/host"
)

// says is a runner that gives each answer in turn, the last one from then on.
type says struct{ pids *[]int }

func (says) Start(context.Context) error { return nil }
func (says) Alive(context.Context) error { return nil }
func (s says) Pod(context.Context, string) (host.Running, error) {
	pid := (*s.pids)[0]
	if len(*s.pids) > 1 {
		*s.pids = (*s.pids)[1:]
	}
	return host.Running{PID: pid}, nil
}

// A process is held only if it is the component's while it is held: its id may be another's since it was told.
func TestSiteProcess(t *testing.T) {
	t.Parallel()
	own := os.Getpid()
	for name, test := range map[string]struct {
		pids []int
		held bool
	}{
		"it runs":     {[]int{own}, true},
		"none":        {[]int{0}, false},
		"ended since": {[]int{own, 0}, false},
		"another now": {[]int{own, 1}, false},
		"no such id":  {[]int{1 << 30}, false},
	} {
		p, err := Site{Runner: says{&test.pids}}.process(t.Context(), "kube-apiserver")
		if held := err == nil; held != test.held {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = p.Close()
		}
	}
}

// Etcd's data directory is for its owner alone, also one that was there before.
func TestNarrow(t *testing.T) {
	s := newStage(t, "")
	dir := s.c.Paths.EtcdData
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	changes, err := etcdManifest(s.gather(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Verb == "narrow" {
			if err := c.Do(t.Context(), s.site); err != nil {
				t.Fatal(err)
			}
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again := narrow(s.gather(t), dir, 0o700); len(again) > 0 {
		t.Errorf("once more: %v", again)
	}
}
