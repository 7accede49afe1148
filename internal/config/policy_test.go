package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func version(t *testing.T, text string) Version {
	t.Helper()
	v, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from, to  string
		apiserver string // of another master
		kubelet   string
		change    func(*Policy)
		refused   string // a part of the one refusal; "" for none
		warned    string
	}{
		"a minor":                       {from: "v1.35.4", to: "v1.36.3"},
		"a patch":                       {from: "v1.36.0", to: "v1.36.3"},
		"the same":                      {from: "v1.36.3", to: "v1.36.3"},
		"a patch back":                  {from: "v1.36.3", to: "v1.36.1", warned: "v1.36.1 is older than v1.36.3"},
		"a minor back":                  {from: "v1.36.3", to: "v1.35.4", refused: "tripod rollback"},
		"a minor back by force":         {from: "v1.36.3", to: "v1.35.4", change: func(p *Policy) { p.Force = true }, refused: "is not taken back"},
		"two minors":                    {from: "v1.34.4", to: "v1.36.3", refused: "v1.34.4 -> v1.35.4 -> v1.36.3; so tripod upgrade apply v1.35.4 comes first"},
		"two minors by force":           {from: "v1.34.4", to: "v1.36.3", change: func(p *Policy) { p.Force = true }, refused: "one minor version at a time"},
		"a candidate":                   {from: "v1.36.3", to: "v1.37.0-rc.1", refused: "--allow-release-candidate-upgrades"},
		"a candidate that is allowed":   {from: "v1.36.3", to: "v1.37.0-rc.1", change: func(p *Policy) { p.AllowRC = true }},
		"an alpha":                      {from: "v1.36.3", to: "v1.37.0-alpha.1", change: func(p *Policy) { p.AllowRC = true }, refused: "--allow-experimental-upgrades"},
		"an alpha that is allowed":      {from: "v1.36.3", to: "v1.37.0-alpha.1", change: func(p *Policy) { p.AllowExperimental = true }},
		"another master behind":         {from: "v1.35.4", to: "v1.36.3", apiserver: "v1.35.4"},
		"another master too far behind": {from: "v1.35.4", to: "v1.36.3", apiserver: "v1.34.4", refused: "the apiserver of other is v1.34.4"},
		"an old kubelet":                {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.33.0"},
		"a kubelet too old":             {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.32.9", refused: "may be 3 minor versions older"},
		"a kubelet too old by force":    {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.32.9", change: func(p *Policy) { p.Force = true }, warned: "may be 3 minor versions older"},
		"a kubelet too new":             {from: "v1.35.4", to: "v1.35.5", kubelet: "v1.36.0", refused: "must not be newer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Policy{From: version(t, tt.from), To: version(t, tt.to)}
			if tt.apiserver != "" {
				p.Components = map[string]map[string]Version{"other": {"kube-apiserver": version(t, tt.apiserver)}}
			}
			if tt.kubelet != "" {
				p.Kubelets = map[string]Version{"other": version(t, tt.kubelet)}
			}
			if tt.change != nil {
				tt.change(&p)
			}
			refusals, warnings := p.Check()
			var said []string
			for _, err := range refusals {
				said = append(said, err.Error())
			}
			only(t, tt.refused, said)
			only(t, tt.warned, warnings)
		})
	}
}

// only wants one text that holds want, or none at all.
func only(t *testing.T, want string, texts []string) {
	t.Helper()
	if want == "" && len(texts) > 0 || want != "" && (len(texts) != 1 || !strings.Contains(texts[0], want)) {
		t.Errorf("got %q, want %q", texts, want)
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		want     []string
	}{
		{"v1.34.0", "v1.36.3", []string{"v1.35.4", "v1.36.3"}},
		{"v1.35.4", "v1.36.3", []string{"v1.36.3"}},
		{"v1.36.1", "v1.36.3", []string{"v1.36.3"}},
		{"v1.36.3", "v1.36.3", nil},
		{"v1.36.3", "v1.35.4", nil},
	} {
		var got []string
		for _, v := range Chain(version(t, tt.from), version(t, tt.to)) {
			got = append(got, v.Tag())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s to %s: %s", tt.from, tt.to, diff)
		}
	}
}
