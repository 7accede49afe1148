package phases

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/config"
)

const onlyHealth = `{apiVersion: apiserver.config.k8s.io/v1, kind: AuthenticationConfiguration,
anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}}`

// An apiserver that turns its kubelet's probes away is refused before anything is written; one that answers them, and
// nobody else, is not.
func TestProbesAnswered(t *testing.T) {
	t.Parallel()
	pki := provable(t).PKI
	file := func(text string) func(*Master) {
		return func(m *Master) {
			reading("authentication-config", "/srv/auth.yaml")(m)
			m.Inputs = map[string][]byte{"/srv/auth.yaml": []byte(text)}
		}
	}
	arg := func(name, value string) func(*Master) {
		return func(m *Master) {
			m.Cluster.APIServer.ExtraArgs = append(m.Cluster.APIServer.ExtraArgs, config.Arg{Name: name, Value: value})
		}
	}
	for name, tt := range map[string]struct {
		change []func(*Master)
		want   string // "" if it is fine
	}{
		"default":                {nil, ""},
		"off":                    {[]func(*Master){arg("anonymous-auth", "false")}, "anonymous-auth=false: the kubelet probes it (/livez, /readyz) without credentials"},
		"off in other words":     {[]func(*Master){arg("anonymous-auth", "F")}, "anonymous-auth=F"},
		"on":                     {[]func(*Master){arg("anonymous-auth", "true")}, ""},
		"all is allowed":         {[]func(*Master){arg("authorization-mode", "Node,AlwaysAllow")}, "authorization-mode AlwaysAllow turns anonymous requests off"},
		"for health only":        {[]func(*Master){file(onlyHealth)}, ""},
		"for health, and a flag": {[]func(*Master){file(onlyHealth), arg("anonymous-auth", "false")}, "does not start with both anonymous-auth and /srv/auth.yaml"},
		"off in the file":        {[]func(*Master){file("anonymous: {enabled: false}")}, "anonymous.enabled is false in /srv/auth.yaml"},
		"for some of it":         {[]func(*Master){file("anonymous: {enabled: true, conditions: [{path: /livez}]}")}, "lacks /readyz"},
		"for all":                {[]func(*Master){file("anonymous: {enabled: true}")}, ""},
		"a file without it":      {[]func(*Master){file("jwt: []"), arg("anonymous-auth", "false")}, "anonymous-auth=false"},
		"a file of nonsense":     {[]func(*Master){file("jwt: [")}, ""},
		"probed by somebody": {[]func(*Master){arg("anonymous-auth", "false"), patched(t, `{spec: {containers: [{name: kube-apiserver,
livenessProbe: {httpGet: {httpHeaders: [{name: Authorization, value: Bearer t}]}}, readinessProbe: null, startupProbe: null}]}}`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := freshMaster(append(tt.change, has(pki))...)
			_, err := apiserverManifest(m)
			mentions(t, err, tt.want)
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), "conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]")) {
				t.Errorf("no hint: %v", err)
			}
		})
	}
}

// An apiserver that is well for administrators, and turns the kubelet away, is not healthy: what does not get better is told at once,
// what may is waited for.
func TestProofAsTheKubelet(t *testing.T) {
	t.Parallel()
	known := func(r *http.Request) bool { return len(r.TLS.PeerCertificates) > 0 }
	for name, tt := range map[string]struct {
		serve   http.HandlerFunc
		earlier bool
		refused time.Duration // for how long it has been answered with 403
		problem string        // "" if the proof holds
		final   bool
	}{
		"answered": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" && (known(r) || r.URL.Path != "/livez") {
				w.WriteHeader(http.StatusNotFound)
			}
		}, false, 0, "", false},
		"turned away":           {only(known, http.StatusUnauthorized), false, 0, "without credentials https://", true},
		"turned away as before": {only(known, http.StatusUnauthorized), true, 0, "", false},
		"forbidden":             {only(known, http.StatusForbidden), false, 0, "403 Forbidden", false},
		"forbidden for long":    {only(known, http.StatusForbidden), false, time.Minute, "system:public-info-viewer", true},
		"to administrators":     {only(func(*http.Request) bool { return false }, http.StatusForbidden), false, 0, "403 Forbidden", false},
		"to administrators for long": {only(func(*http.Request) bool { return false }, http.StatusForbidden), false, time.Minute,
			"administrators have lost their rights", true},
		"not ready": {only(func(*http.Request) bool { return false }, http.StatusInternalServerError), false, time.Minute, "500", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := provable(t)
			at := serve(t, m, "apiserver", tt.serve)
			m.Cluster.APIServer.ExtraArgs = []config.Arg{{Name: "secure-port", Value: strconv.Itoa(int(at.Port()))}, {Name: "bind-address", Value: at.Addr().String()}}
			if tt.earlier {
				m.Living = &Living{Earlier: true}
			}
			p := NewProber(m)
			defer p.Close()
			if tt.refused > 0 {
				p.refused = time.Now().Add(-tt.refused)
			}
			err := proveAPIServer(t.Context(), p)
			mentions(t, err, tt.problem)
			var certain final
			if errors.As(err, &certain) != tt.final {
				t.Errorf("final is %v: %v", !tt.final, err)
			}
		})
	}
}

// only answers with 200 to those who are served, and the status to the others. The client's certificate is asked for.
func only(served func(*http.Request) bool, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !served(r) {
			w.WriteHeader(status)
		}
	}
}
