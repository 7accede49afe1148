package agent

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probeReader makes probes of a container's fields and keeps what stands against them.
type probeReader struct {
	reader
	ports    []corev1.ContainerPort
	env      map[string]string
	pod      *pod
	problems []Problem
}

func (r *probeReader) complain(field, why string) {
	r.problems = append(r.problems, Problem{"spec.containers[0]." + field, why})
}

// read makes a probe of the field, with the API's defaults; nil if it is not set.
func (r *probeReader) read(field string, spec *corev1.Probe) *probe {
	if spec == nil {
		return nil
	}
	seconds := func(value, fallback int32) time.Duration {
		return time.Duration(cmp.Or(value, fallback)) * time.Second
	}
	p := &probe{
		Kind:      field[:len(field)-len("Probe")],
		Delay:     seconds(spec.InitialDelaySeconds, 0),
		Period:    seconds(spec.PeriodSeconds, 10),
		Timeout:   seconds(spec.TimeoutSeconds, 1),
		Failures:  int(cmp.Or(spec.FailureThreshold, 3)),
		Successes: int(cmp.Or(spec.SuccessThreshold, 1)),
		Grace:     grace(spec.TerminationGracePeriodSeconds, r.pod.Grace),
		Action:    r.action(field, spec.ProbeHandler),
	}
	if p.Successes != 1 && p.Kind != "readiness" {
		r.complain(field+".successThreshold", "must be 1")
	}
	if spec.TerminationGracePeriodSeconds != nil && p.Kind == "readiness" {
		r.complain(field+".terminationGracePeriodSeconds", "must not be set: readiness ends nothing")
	}
	return p
}

func (r *probeReader) action(field string, handler corev1.ProbeHandler) action {
	switch {
	case handler.HTTPGet != nil && handler.TCPSocket == nil && handler.Exec == nil:
		return r.http(field+".httpGet", handler.HTTPGet)
	case handler.TCPSocket != nil && handler.HTTPGet == nil && handler.Exec == nil:
		return tcpAction(r.address(field+".tcpSocket", handler.TCPSocket.Host, handler.TCPSocket.Port))
	case handler.Exec != nil && handler.HTTPGet == nil && handler.TCPSocket == nil:
		return r.exec(field+".exec", handler.Exec)
	}
	r.complain(field, "must have one of httpGet, tcpSocket and exec")
	return nil
}

func (r *probeReader) http(field string, get *corev1.HTTPGetAction) action {
	host, port := r.address(field, get.Host, get.Port)
	target, err := url.Parse(cmp.Or(get.Path, "/"))
	if err != nil {
		r.complain(field+".path", err.Error())
		return nil
	}
	target.Scheme = map[corev1.URIScheme]string{corev1.URISchemeHTTPS: "https"}[get.Scheme]
	target.Scheme = cmp.Or(target.Scheme, "http")
	target.Host = net.JoinHostPort(host, strconv.Itoa(port))
	return httpAction(target, probeHeader(get.HTTPHeaders))
}

// probeHeader is the kubelet's header: what it sends by default can be overridden, Accept also removed.
func probeHeader(extra []corev1.HTTPHeader) http.Header {
	header := http.Header{}
	for _, h := range extra {
		header.Add(h.Name, h.Value)
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "tripod-probe")
	}
	if values, set := header["Accept"]; !set {
		header.Set("Accept", "*/*")
	} else if values[0] == "" {
		header.Del("Accept")
	}
	return header
}

// exec runs a program of the binary directory with the container's variables. The kubelet's probe dies
// with its container; the mark does the same here.
func (r *probeReader) exec(field string, spec *corev1.ExecAction) action {
	command := expandAll(spec.Command, r.env)
	program, why := r.program(command)
	if why != "" {
		r.complain(field+".command[0]", why)
		return nil
	}
	mark := marker{Manifests: r.manifests, Pod: r.pod.key(), Container: r.pod.Container, Probe: true}
	return execAction(program, command[1:], append(slices.Clip(r.pod.Env), mark.String()), r.pod.Dir)
}

// address is where to ask. The kubelet would take the node's address for an empty host, which the agent does not know.
func (r *probeReader) address(field, host string, port intstr.IntOrString) (string, int) {
	if host == "" {
		r.complain(field+".host", "must be set: the agent does not know the address of the node")
	}
	number := port.IntValue()
	if port.Type == intstr.String {
		number = r.named(port.StrVal)
	}
	if number < 1 || number > 65535 {
		r.complain(field+".port", fmt.Sprintf("%q is neither a port number nor the name of one of the container's ports", port.String()))
	}
	return host, number
}

// named is the container's port of that name, 0 if there is none.
func (r *probeReader) named(name string) int {
	for _, port := range r.ports {
		if port.Name == name {
			return int(port.ContainerPort)
		}
	}
	return 0
}
