package certs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"
)

func requests() []Request {
	return []Request{
		{Name: "ca", Spec: authority("ca")},
		{Name: "web", Spec: serving("web"), Issuer: "ca"},
		{Name: "mail", Spec: serving("mail"), Issuer: "ca"},
		{Name: "other-ca", Spec: authority("other-ca")},
		{Name: "lone", Spec: serving("lone")},
		{Name: "db", Spec: serving("db"), Issuer: "other-ca"},
	}
}

func filled(t testing.TB) map[string]Pair {
	t.Helper()
	pairs, err := Fill(requests(), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

func TestFillFromNothing(t *testing.T) {
	t.Parallel()
	pairs := filled(t)
	issuers := map[string]string{}
	for name, p := range pairs {
		issuers[name] = p.Cert.Issuer.CommonName
	}
	want := map[string]string{"ca": "ca", "web": "ca", "mail": "ca", "other-ca": "other-ca", "lone": "lone", "db": "other-ca"}
	if diff := cmp.Diff(want, issuers); diff != "" {
		t.Errorf("issuers, -want +got:\n%s", diff)
	}
}

// TestFillKeeps takes away, spoils or lets expire some of a full set and tells what is made anew.
func TestFillKeeps(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(have map[string]Pair)
		at    time.Time
		fresh []string
	}{
		"all":                    {func(map[string]Pair) {}, now, nil},
		"all but a missing leaf": {func(h map[string]Pair) { delete(h, "web") }, now, []string{"web"}},
		"a missing authority":    {func(h map[string]Pair) { delete(h, "other-ca"); delete(h, "db") }, now, []string{"db", "other-ca"}},
		"authorities, leaves expired": {func(map[string]Pair) {}, now.Add(2 * year),
			[]string{"db", "lone", "mail", "web"}},
		"external authority": {func(h map[string]Pair) { h["ca"] = withoutKey(h["ca"]) }, now, nil},
		"others beside an external authority": {func(h map[string]Pair) { h["ca"] = withoutKey(h["ca"]); delete(h, "db") }, now,
			[]string{"db"}},
		"stale leaf": {func(h map[string]Pair) { h["db"] = withoutKey(h["db"]) }, now, []string{"db"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have := filled(t)
			test.spoil(have)
			got, err := Fill(requests(), have, test.at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.fresh, changed(have, got)); diff != "" {
				t.Errorf("fresh, -want +got:\n%s", diff)
			}
		})
	}
}

// changed are the names whose certificates differ, sorted.
func changed(have, got map[string]Pair) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if old, ok := have[name]; !ok || !old.Cert.Equal(got[name].Cert) {
			names = append(names, name)
		}
	}
	return names
}

func withoutKey(p Pair) Pair {
	p.Key = nil
	return p
}

func TestFillRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, have map[string]Pair)
		at    time.Time
		want  []string
	}{
		"expired authority, reported once": {
			func(*testing.T, map[string]Pair) {}, now.Add(11 * year),
			[]string{"ca: the certificate authority CN=ca expired on", "other-ca: the certificate authority CN=other-ca expired on"},
		},
		"leaves of another authority": {
			func(t *testing.T, h map[string]Pair) {
				h["ca"] = issued(t, authority("ca"), nil)
			}, now,
			[]string{"web: the certificate was not signed by CN=ca", "mail: the certificate was not signed by CN=ca"},
		},
		"another's key": {
			func(t *testing.T, h map[string]Pair) {
				p := h["web"]
				p.Key = newKey(t).Private
				h["web"] = p
			}, now,
			[]string{"web: the certificate does not match its key"},
		},
		"external authority, leaves missing and stale": {
			func(_ *testing.T, h map[string]Pair) {
				h["ca"], h["mail"] = withoutKey(h["ca"]), withoutKey(h["mail"])
				delete(h, "web")
			}, now,
			[]string{"ca has no key here, and these would have to be issued by it: web (missing), mail (no longer fits: its key is missing)\nhint: "},
		},
		"authority gone, leaves left": {
			func(_ *testing.T, h map[string]Pair) { delete(h, "ca") }, now,
			[]string{"ca is missing, although there are certificates that it should have signed: web, mail\nhint: "},
		},
		"everything at once": {
			func(t *testing.T, h map[string]Pair) {
				delete(h, "ca")
				h["other-ca"] = issued(t, authority("x"), nil)
			}, now,
			[]string{"ca is missing, although there are certificates that it should have signed: web, mail\nhint: ", "db: the certificate was not signed by CN=x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have := filled(t)
			test.spoil(t, have)
			got, err := Fill(requests(), have, test.at)
			if got != nil {
				t.Error("there are pairs beside an error")
			}
			if diff := cmp.Diff(test.want, shortened(err, test.want)); diff != "" {
				t.Errorf("errors, -want +got:\n%s", diff)
			}
		})
	}
}

// shortened are the errors, cut to what is wanted of them where they begin with it.
func shortened(err error, want []string) []string {
	var out []string
	for _, e := range err.(*multierror.Error).Errors {
		text := e.Error()
		for _, w := range want {
			if strings.HasPrefix(text, w) {
				text = w
			}
		}
		out = append(out, text)
	}
	return out
}

func TestFillWantsIssuersFirst(t *testing.T) {
	t.Parallel()
	_, err := Fill([]Request{{Name: "web", Spec: serving("web"), Issuer: "ca"}}, nil, now)
	if !mentions(err, "web: its issuer ca is not requested before it") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkFill makes as many pairs as a master has: 3 authorities and 14 leaves.
func BenchmarkFill(b *testing.B) {
	for _, algorithm := range []Algorithm{ECDSAP256, ECDSAP384, RSA2048} {
		b.Run(string(algorithm), func(b *testing.B) {
			var all []Request
			for i := range 3 {
				all = append(all, Request{Name: fmt.Sprint("ca", i), Spec: with(authority("ca"), algorithm)})
			}
			for i := range 14 {
				all = append(all, Request{Name: fmt.Sprint("leaf", i), Spec: with(serving("leaf"), algorithm), Issuer: fmt.Sprint("ca", i%3)})
			}
			for b.Loop() {
				if _, err := Fill(all, nil, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFillKept finds that nothing is to do.
func BenchmarkFillKept(b *testing.B) {
	have := filled(b)
	for b.Loop() {
		if _, err := Fill(requests(), have, now); err != nil {
			b.Fatal(err)
		}
	}
}

func with(s Spec, a Algorithm) Spec {
	s.Algorithm = a
	return s
}
