package sandbox

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"
)

func TestChangeAndLoad(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := New(folder, "a", 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a sandbox that was not saved: %v", err)
	}
	earlier := s
	if err := s.Change(func(s *Sandbox) { s.KubernetesVersion, s.BinDir = "v1.36.3", "/bin" }); err != nil {
		t.Fatal(err)
	}
	if err := earlier.Change(func(s *Sandbox) { s.SetStopped("m2", true) }); err != nil { // by one who does not know of the change before
		t.Fatal(err)
	}
	got, err := Load(folder, "a")
	if err != nil {
		t.Fatal(err)
	}
	s.SetStopped("m2", true)
	compare := []cmp.Option{cmp.AllowUnexported(Sandbox{}), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})}
	for _, want := range []Sandbox{s, earlier} {
		if diff := cmp.Diff(want, got, compare...); diff != "" {
			t.Errorf("-changed +loaded:\n%s", diff)
		}
	}
	if err := got.Remove(); err != nil {
		t.Fatal(err)
	}
	if all, err := List(folder); len(all) != 0 || err != nil {
		t.Errorf("after Remove: %v, %v", all, err)
	}
}

// TestChangesQueue: of changes at the same time none is lost.
func TestChangesQueue(t *testing.T) {
	t.Parallel()
	s, err := New(t.TempDir(), "a", MostMasters)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Change(func(*Sandbox) {}); err != nil {
		t.Fatal(err)
	}
	var all errgroup.Group
	for _, m := range s.Masters {
		all.Go(func() error {
			mine := s
			return mine.Change(func(s *Sandbox) { s.SetStopped(m.Name, true) })
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := Load(filepath.Dir(s.Dir()), "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Masters {
		if !m.Stopped {
			t.Errorf("%s is not stopped", m.Name)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"a": true, "ci-1": true, strings.Repeat("x", 40): true,
		"": false, "A": false, "-a": false, "a-": false, "a/b": false, "..": false, "a.b": false, strings.Repeat("x", 41): false,
	} {
		if _, err := New(t.TempDir(), name, 1); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestGrown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		has, wants int
		problem    string
	}{
		{1, 1, ""}, {3, 3, ""}, {3, 5, ""}, {2, 9, ""},
		{1, 3, "was made for one master"},
		{5, 3, "has 5 masters, which do not become 3"},
		{3, 10, "10 masters are too many"},
	} {
		s, err := New(t.TempDir(), "grown", test.has)
		if err != nil {
			t.Fatal(err)
		}
		bigger, err := s.Grown(test.wants)
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) || !strings.Contains(err.Error(), "\nhint: ") {
				t.Errorf("%d to %d: %v", test.has, test.wants, err)
			}
			continue
		}
		if err != nil || len(bigger.Masters) != test.wants || len(s.Masters) != test.has {
			t.Errorf("%d to %d: %d, %v", test.has, test.wants, len(bigger.Masters), err)
		}
	}
}

// TestAddresses: a name has its addresses again, no two sandboxes share a network, and no address is given out where
// somebody listens.
func TestAddresses(t *testing.T) {
	t.Parallel()
	first, err := New(t.TempDir(), "addresses", 3)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(t.TempDir(), "addresses", 1)
	if err != nil {
		t.Fatal(err)
	}
	at := networkOf(first.Masters[0].Address)
	if networkOf(again.Masters[0].Address) != at {
		t.Errorf("%s, then %s", first.Masters[0].Address, again.Masters[0].Address)
	}
	if !netip.MustParsePrefix("127.64.0.0/10").Contains(at.Addr()) {
		t.Errorf("%s is not in 127.64.0.0/10", at)
	}
	if other, err := free("addresses", []Sandbox{first}); err != nil || other == at {
		t.Errorf("another sandbox beside %s gets %s, %v", at, other, err)
	}
	for _, held := range []netip.AddrPort{netip.AddrPortFrom(at.at(1), 10259), netip.AddrPortFrom(at.at(9), 2380), at.endpoint()} {
		l, err := net.Listen("tcp", held.String())
		if err != nil {
			t.Fatal(err)
		}
		if other, err := free("addresses", nil); err != nil || other == at {
			t.Errorf("with a listener at %s: %s, %v", held, other, err)
		}
		_ = l.Close()
	}
}

// TestEndpoint: several masters are reached by their balancer, one by itself.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	one, err := New(t.TempDir(), "endpoint", 1)
	if err != nil {
		t.Fatal(err)
	}
	three, err := New(t.TempDir(), "endpoint", 3)
	if err != nil {
		t.Fatal(err)
	}
	if one.Endpoint.IsValid() || one.Address() != one.Masters[0].Address {
		t.Errorf("one master: endpoint %s, address %s", one.Endpoint, one.Address())
	}
	at := networkOf(three.Masters[0].Address)
	if three.Endpoint != netip.AddrPortFrom(at.at(100), 6443) || three.Address() != at.at(100) {
		t.Errorf("three masters: endpoint %s, address %s", three.Endpoint, three.Address())
	}
	backends := three.Backends()
	if len(backends) != MostMasters || backends[2] != netip.AddrPortFrom(three.Masters[2].Address, 6443) {
		t.Errorf("backends %v", backends)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	s := Sandbox{Name: "a", dir: "/state/a", Masters: []Master{{Name: "m1"}}}
	m := Master{Name: "m1"}
	if s.Node(m) != "a-m1" || s.Root(m) != "/state/a/m1" || s.Paths(m).Manifests != filepath.Join(s.Root(m), "etc/kubernetes/manifests") {
		t.Errorf("node %s, root %s, manifests %s", s.Node(m), s.Root(m), s.Paths(m).Manifests)
	}
	for name, there := range map[string]bool{"m1": true, "a-m1": true, "m2": false, "": false} {
		if _, ok := s.Master(name); ok != there {
			t.Errorf("master %q: %t", name, ok)
		}
	}
}
