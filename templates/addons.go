package templates

import _ "embed" // the templates are files

//go:embed coredns.yaml
var coreDNS string

//go:embed kube-proxy.yaml
var kubeProxy string

// CoreDNS is the template of the objects that are cluster DNS.
func CoreDNS() string { return coreDNS }

// KubeProxy is the template of the objects that run kube-proxy on every node.
func KubeProxy() string { return kubeProxy }
