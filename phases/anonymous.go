package phases

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/manifests"
)

// A kubelet probes without credentials, as nobody whom the apiserver knows. Where that is answered with 401 the kubelet starts the
// apiserver anew every few minutes, although all is well with it.

// probesAnswered is an error for an apiserver that would turn its own kubelet's probes away.
func (m Master) probesAnswered(pod *corev1.Pod) error {
	paths := anonymousPaths(pod)
	if pod.Name != "kube-apiserver" || len(paths) == 0 {
		return nil
	}
	flags := manifests.CommandFlags(pod)
	file := flags["authentication-config"]
	why := anonymousRefused(flags, authenticationFile(m.Inputs[file]).Anonymous, paths)
	if why == "" {
		return nil
	}
	return fmt.Errorf("kube-apiserver: %s: the kubelet probes it (%s) without credentials, is answered 401, and starts it anew again and again%s",
		strings.ReplaceAll(why, "the file", file), strings.Join(paths, ", "), hintLine(anonymousHint))
}

const anonymousHint = `leave the flag anonymous-auth out, and allow no more than the probes: with authentication-config, a file that a volume has, of
    {apiVersion: apiserver.config.k8s.io/v1, kind: AuthenticationConfiguration,
     anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}}
  cluster-info is then readable to nobody who joins by a token: such a join needs --discovery-file`

// anonymousAuth is how an AuthenticationConfiguration treats whom it does not know.
type anonymousAuth struct {
	Enabled    bool        `json:"enabled"`
	Conditions []condition `json:"conditions"`
}

type condition struct {
	Path string `json:"path"`
}

type authenticationConfiguration struct {
	Anonymous *anonymousAuth `json:"anonymous"`
}

// authenticationFile is what such a file says of it; nothing where it can not be read, which the apiserver itself tells.
func authenticationFile(data []byte) (c authenticationConfiguration) {
	if yaml.Unmarshal(data, &c) != nil {
		return authenticationConfiguration{}
	}
	return c
}

// anonymousRefused says why requests without credentials for these paths are refused, "" if they are not
// (k8s.io/kubernetes/pkg/kubeapiserver/options/authentication.go).
func anonymousRefused(flags map[string]string, file *anonymousAuth, paths []string) string {
	flag, given := flags["anonymous-auth"]
	allowed, err := strconv.ParseBool(flag)
	switch {
	case file == nil && given && err == nil && !allowed:
		return "anonymous-auth=" + flag
	case file == nil && slices.Contains(strings.Split(flags["authorization-mode"], ","), "AlwaysAllow"):
		return "authorization-mode AlwaysAllow turns anonymous requests off"
	case file == nil:
		return ""
	case given:
		return "it does not start with both anonymous-auth and the file, which has a part anonymous"
	case !file.Enabled:
		return "anonymous.enabled is false in the file"
	}
	for _, path := range paths {
		if len(file.Conditions) > 0 && !slices.Contains(file.Conditions, condition{path}) {
			return "anonymous.conditions in the file lacks " + path
		}
	}
	return ""
}

// anonymousPaths are the paths that the pod's probes ask for without credentials, each once.
func anonymousPaths(pod *corev1.Pod) []string {
	var paths []string
	for _, get := range anonymousProbes(pod) {
		if u, err := url.Parse(get.Path); err == nil && !slices.Contains(paths, u.Path) {
			paths = append(paths, u.Path)
		}
	}
	return paths
}

// anonymousProbes are those of the pod's container by which the kubelet asks without credentials.
func anonymousProbes(pod *corev1.Pod) []*corev1.HTTPGetAction {
	var gets []*corev1.HTTPGetAction
	c := pod.Spec.Containers[0]
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe == nil || probe.HTTPGet == nil {
			continue
		}
		known := slices.ContainsFunc(probe.HTTPGet.HTTPHeaders, func(h corev1.HTTPHeader) bool { return strings.EqualFold(h.Name, "Authorization") })
		if !known {
			gets = append(gets, probe.HTTPGet)
		}
	}
	return gets
}

// anonymous is the client that asks the apiserver as its kubelet does.
const anonymous = "kube-apiserver, without credentials"

func withoutCredentials(trust *tls.Config) *tls.Config {
	trust = trust.Clone()
	trust.Certificates = nil
	return trust
}

// asKubelet asks what the kubelet's probes ask, as they do.
func (p *Prober) asKubelet(ctx context.Context) error {
	m := p.master
	if m.Living != nil && (m.Living.Kept || m.Living.Back != nil || m.Living.Earlier) {
		return nil // it is not for this run to find out what has always been so
	}
	pod, err := apiserverPod(m)
	if err != nil {
		return nil // it was rendered before
	}
	for _, get := range anonymousProbes(pod) {
		if err := p.get(ctx, anonymous, m.probeURL(get, pod.Spec.Containers[0].Ports)); err != nil {
			return p.turnedAway(err)
		}
	}
	return nil
}

// turnedAway is final where the kubelet's probes are refused, which does not get better.
func (p *Prober) turnedAway(err error) error {
	if !answeredWith(err, http.StatusUnauthorized) {
		return p.forbidden(err, "the kubelet's own probes, without credentials, may not ask for that: put the ClusterRoleBinding system:public-info-viewer and "+
			"RBAC among the authorizers back")
	}
	return final{fmt.Errorf("without credentials %w: the kubelet's probes fail by it, and it starts the apiserver anew again and again%s", err, hintLine(anonymousHint))}
}

// forbidden makes a 403 final that lasts longer than an apiserver needs to get its rules.
func (p *Prober) forbidden(err error, hint string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !answeredWith(err, http.StatusForbidden):
		p.refused = time.Time{}
		return err
	case p.refused.IsZero():
		p.refused = time.Now()
	case time.Since(p.refused) > rbacBootstraps:
		return final{fmt.Errorf("%w, for %s now%s", err, rbacBootstraps, hintLine(hint))}
	}
	return err
}

// rbacBootstraps is how long a fresh apiserver may refuse what its own rules will allow in a moment.
const rbacBootstraps = 30 * time.Second

// statusError is an answer other than 200.
type statusError struct {
	status int
	error
}

func answeredWith(err error, status int) bool {
	var answer statusError
	return errors.As(err, &answer) && answer.status == status
}

// probeURL is the URL that a probe asks. A pod of the host's network is reached at the master's own address.
func (m Master) probeURL(get *corev1.HTTPGetAction, ports []corev1.ContainerPort) string {
	u, err := url.Parse(get.Path)
	if err != nil {
		u = &url.URL{Path: get.Path}
	}
	host, port := get.Host, get.Port.IntValue()
	if host == "" {
		host = m.Advertise.Addr().String()
	}
	for _, p := range ports {
		if get.Port.Type == intstr.String && p.Name == get.Port.StrVal {
			port = int(p.ContainerPort)
		}
	}
	u.Scheme, u.Host = strings.ToLower(string(get.Scheme)), net.JoinHostPort(host, strconv.Itoa(port))
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	return u.String()
}
