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
		"a candidate":                   {from: "v1.36.3", to: "v1.36.4-rc.1", warned: "newer than v1.36.3", refused: "--allow-release-candidate-upgrades"},
		"a candidate that is allowed":   {from: "v1.36.3", to: "v1.36.4-rc.1", warned: "newer than v1.36.3", change: func(p *Policy) { p.AllowRC = true }},
		"an alpha":                      {from: "v1.36.3", to: "v1.36.0-alpha.1", warned: "is older", change: func(p *Policy) { p.AllowRC = true }, refused: "--allow-experimental-upgrades"},
		"an alpha that is allowed":      {from: "v1.36.3", to: "v1.36.0-alpha.1", warned: "is older", change: func(p *Policy) { p.AllowExperimental = true }},
		"another master behind":         {from: "v1.35.4", to: "v1.36.3", apiserver: "v1.35.4"},
		"another master too far behind": {from: "v1.35.4", to: "v1.36.3", apiserver: "v1.34.4", refused: "the apiserver of other is v1.34.4"},
		"an old kubelet":                {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.33.0"},
		"a kubelet too old":             {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.32.9", refused: "may be 3 minor versions older"},
		"a kubelet too old by force":    {from: "v1.35.4", to: "v1.36.3", kubelet: "v1.32.9", change: func(p *Policy) { p.Force = true }, warned: "may be 3 minor versions older"},
		"a kubelet too new":             {from: "v1.34.4", to: "v1.35.4", kubelet: "v1.36.0", refused: "must not be newer"},
		"a kubelet too new for a patch": {from: "v1.35.3", to: "v1.35.4", kubelet: "v1.36.0", warned: "must not be newer"},
		"a kubelet too old for a patch": {from: "v1.36.1", to: "v1.36.3", kubelet: "v1.32.9", warned: "may be 3 minor versions older"},
		"apiservers apart, and a patch": {from: "v1.36.1", to: "v1.36.3", apiserver: "v1.34.4", warned: "the apiserver of other is v1.34.4"},
		"another master far ahead":      {from: "v1.33.4", to: "v1.34.4", apiserver: "v1.36.3", refused: "or take that one back"},
		"a candidate, begun elsewhere":  {from: "v1.35.4", to: "v1.36.0-rc.1", apiserver: "v1.36.0-rc.1"},
		"a candidate, begun here":       {from: "v1.36.0-rc.1", to: "v1.36.0-rc.1"},
		"a candidate by force":          {from: "v1.35.4", to: "v1.36.0-rc.1", change: func(p *Policy) { p.Force = true }, warned: "is a release candidate"},
		"an unknown patch":              {from: "v1.36.3", to: "v1.36.9", warned: "v1.36.9 is newer than v1.36.3, the newest that this tripod knows"},
		"an unknown patch that runs":    {from: "v1.36.9", to: "v1.36.9"},
		"an unknown minor":              {from: "v1.36.3", to: "v1.37.0", refused: "v1.37.0 is not supported\nhint: tripod runs 1.34, 1.35, 1.36"},
		"an unknown minor by force":     {from: "v1.36.3", to: "v1.37.0", change: func(p *Policy) { p.Force = true }, refused: "is not supported"},
		"an unknown way":                {from: "v1.32.1", to: "v1.36.3", refused: "no way from there is known"},
		"another major":                 {from: "v1.36.3", to: "v2.0.0", refused: "another major version"},
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

// Many kubelets are one refusal for each version.
func TestPolicyNames(t *testing.T) {
	t.Parallel()
	p := Policy{From: version(t, "v1.35.4"), To: version(t, "v1.36.3"), Kubelets: map[string]Version{"old": version(t, "v1.31.0")}}
	for _, node := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		p.Kubelets[node] = version(t, "v1.32.9")
	}
	refusals, _ := p.Check()
	var got []string
	for _, err := range refusals {
		first, _, _ := strings.Cut(err.Error(), ":")
		got = append(got, first)
	}
	if diff := cmp.Diff([]string{"the kubelet of old is v1.31.0", "the kubelets of a, b, c, d, e and 2 more are v1.32.9"}, got); diff != "" {
		t.Error(diff)
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
		{"v1.32.1", "v1.36.3", nil},
		{"v1.33.1", "v1.36.3", []string{"v1.34.4", "v1.35.4", "v1.36.3"}},
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
