package templates

import _ "embed" // the objects are files

//go:embed kubeadm-config.yaml
var kubeadmConfig []byte

//go:embed kubelet-config.yaml
var kubeletConfig []byte

//go:embed upload-certs.yaml
var uploadCerts []byte

//go:embed bootstrap-token.yaml
var bootstrapToken []byte

//go:embed kubelet-client.yaml
var kubeletClient []byte

// KubeadmConfig lets nodes and those that join read the ConfigMap kubeadm-config. Like all objects here it has no values.
func KubeadmConfig() []byte { return kubeadmConfig }

// KubeletConfig lets nodes and those that join read the ConfigMap kubelet-config.
func KubeletConfig() []byte { return kubeletConfig }

// UploadCerts lets those that join read the Secret kubeadm-certs.
func UploadCerts() []byte { return uploadCerts }

// BootstrapToken lets everybody read the ConfigMap cluster-info, and those who hold a token become nodes.
func BootstrapToken() []byte { return bootstrapToken }

// KubeletClient lets the apiserver ask kubelets, for logs say.
func KubeletClient() []byte { return kubeletClient }
