package phases

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
)

// pinned is the pod of an apiserver at address whose image has the name.
func pinned(image, address string) corev1.Pod {
	u, _ := url.Parse(address)
	p := corev1.Pod{}
	p.Labels = map[string]string{"component": "kube-apiserver"}
	p.Spec.NodeName = "m2"
	p.Spec.Containers = []corev1.Container{{Name: "kube-apiserver", Image: image,
		Command: []string{"kube-apiserver", "--advertise-address=" + u.Hostname(), "--secure-port=" + u.Port()}}}
	return p
}

// An apiserver whose image is named by its digest is asked what it is.
func TestPodVersion(t *testing.T) {
	t.Parallel()
	answer := `{"major": "1", "minor": "36", "gitVersion": "v1.36.2"}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			fmt.Fprint(w, answer)
		}
	}))
	defer server.Close()
	kubeconfig, err := yaml.Marshal(map[string]any{
		"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": server.URL,
			"certificate-authority-data": certs.Pair{Chain: []*x509.Certificate{server.Certificate()}}.CertPEM()}}},
		"contexts":        []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c"}}},
		"current-context": "c",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		image, address, component string
		want, why                 string
	}{
		"a tag":                 {"r/kube-apiserver:v1.36.3", "", "kube-apiserver", "v1.36.3", ""},
		"a tag and a digest":    {"r:5000/kube-apiserver:v1.36.3@sha256:00", "", "kube-apiserver", "v1.36.3", ""},
		"a digest":              {"r:5000/kube-apiserver@sha256:00", server.URL, "kube-apiserver", "v1.36.2", ""},
		"a tag of no version":   {"kube-apiserver:latest", server.URL, "kube-apiserver", "v1.36.2", ""},
		"a digest, no address":  {"kube-apiserver@sha256:00", "", "kube-apiserver", "", "its pod has no address"},
		"a digest, no answer":   {"kube-apiserver@sha256:00", "https://127.0.0.1:1", "kube-apiserver", "", "names no version, and it does not say it: "},
		"another is not asked":  {"kube-scheduler@sha256:00", server.URL, "kube-scheduler", "", "names no version"},
		"it is not in this pod": {"kube-apiserver:v1.36.3", server.URL, "etcd", "", ""},
	} {
		pod := pinned(tt.image, tt.address)
		if tt.component == "kube-scheduler" {
			pod.Spec.Containers[0].Name = tt.component
		}
		of := podVersion(t.Context(), kubeconfig, pod, tt.component)
		v, known := of.Value()
		switch {
		case known && v.Tag() != tt.want, !known && tt.want != "":
			t.Errorf("%s: %v, %v", name, v, of.Err())
		case tt.why != "":
			mentions(t, of.Err(), tt.why)
		}
	}
}

// A master whose apiserver is of another version, or of one that nobody can tell, is not passed over.
func TestVersionsAgree(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	m.Joining = &Joining{}
	asked := func(v string) { m.Joining.versions = map[string]Known[config.Version]{"m2": There(parsed(t, v))} }
	for name, tt := range map[string]struct {
		image, asked, want string
	}{
		"the same":                 {"kube-apiserver:" + m.Version.Tag(), "", ""},
		"another":                  {"kube-apiserver:v1.34.0", "", "the apiserver on m2 is v1.34.0"},
		"another, with its digest": {"r:5000/kube-apiserver:v1.34.0@sha256:00", "", "the apiserver on m2 is v1.34.0"},
		"nobody can tell":          {"kube-apiserver@sha256:00", "", "the version of the apiserver on m2 is not known: its image kube-apiserver@sha256:00 names no version"},
		"it says the same":         {"kube-apiserver@sha256:00", m.Version.Tag(), ""},
		"it says another":          {"kube-apiserver@sha256:00", "v1.34.0", "the apiserver on m2 is v1.34.0"},
	} {
		m.Joining.versions = nil
		if tt.asked != "" {
			asked(tt.asked)
		}
		var got []string
		for _, f := range versionsAgree(m, pinned(tt.image, "")) {
			got = append(got, f.problem)
		}
		if all := strings.Join(got, ""); tt.want == "" && all != "" || !strings.Contains(strings.ReplaceAll(all, "is 1.34.0", "is v1.34.0"), tt.want) {
			t.Errorf("%s: %q, want %q", name, all, tt.want)
		}
	}
}

// An upgrade to another minor version does not pass over a master that it can not see.
func TestUntoldVersions(t *testing.T) {
	t.Parallel()
	s := grown(t, "")
	who := func(m *Master) {
		m.Living.Fleet.Untold = map[string]error{"kube-apiserver on m2": errNotAsked, "kube-scheduler on m2": errNotAsked}
	}
	m := s.living(t, who)
	for from, stops := range map[string]bool{"v1.36.2": false, "v1.35.4": true} {
		found := m.untold(parsed(t, from))
		if len(found) != 2 || slices.ContainsFunc(found, func(f finding) bool { return !f.harmless }) != stops {
			t.Errorf("from %s: %v", from, found)
		}
	}
}
