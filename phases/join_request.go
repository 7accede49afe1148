package phases

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	pemblock "encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
)

// approvedWithin is how long nobody is told that a request waits: the controller-manager approves in less.
const approvedWithin = time.Second

// requestClient wants the kubelet's client certificate: one that is there where it belongs, or one that the cluster
// issues for the key that was drawn.
func (m Master) requestClient() []Change {
	if m.Joining.Client.Cert != nil {
		if files := kubeletClientFiles(m); len(files) > 0 {
			return write(m, files...)
		}
		return nil
	}
	return []Change{{Verb: "request", What: "the client certificate of " + nodeUser(m.Config), do: func(ctx context.Context, s Site) error {
		ctx, stop := context.WithTimeout(ctx, m.TLSBootstrap)
		defer stop()
		issued, err := m.bootstrapped(ctx, s)
		if err != nil {
			return err
		}
		host.Killpoint("certificate issued")
		m.PKI.KubeletClient = issued
		return Change{}.commit(ctx, s, kubeletClientFiles(m))
	}}}
}

// bootstrapped is certificate and key, once the cluster has issued it.
func (m Master) bootstrapped(ctx context.Context, s Site) ([]byte, error) {
	request, err := m.signingRequest()
	if err != nil {
		return nil, err
	}
	err = cluster.Insist(ctx, s.tell, func(ctx context.Context) error {
		made, err := m.Joining.api.Create(ctx, request)
		if err == nil {
			request = made
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	host.Killpoint("certificate requested")
	return m.issued(ctx, s, request)
}

// issued waits for the certificate.
func (m Master) issued(ctx context.Context, s Site, request *unstructured.Unstructured) (file []byte, err error) {
	asked := time.Now()
	err = cluster.Insist(ctx, nil, func(ctx context.Context) error {
		now, err := m.Joining.api.Get(ctx, request)
		if err == nil {
			file, err = m.answer(now)
		}
		if err != nil && ctx.Err() == nil && time.Since(asked) > approvedWithin {
			s.tell(err.Error())
		}
		return err
	})
	return file, err
}

// answer is what has become of a request: certificate and key as the kubelet's file holds them, or why there is none.
func (m Master) answer(request *unstructured.Unstructured) ([]byte, error) {
	name := request.GetName()
	conditions, _, _ := unstructured.NestedSlice(request.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if kind := condition["type"]; kind == "Denied" || kind == "Failed" {
			return nil, fmt.Errorf("certificate request %s: %v: %v (%v)", name, kind, condition["message"], condition["reason"])
		}
	}
	text, _, _ := unstructured.NestedString(request.Object, "status", "certificate")
	switch {
	case text == "" && len(conditions) == 0:
		return nil, cluster.Soon{Err: fmt.Errorf("certificate request %s waits for approval (kubectl certificate approve %s)", name, name)}
	case text == "":
		return nil, cluster.Soon{Err: fmt.Errorf("certificate request %s is approved, and waits to be signed by the controller-manager", name)}
	}
	file, err := m.paired(text)
	if err != nil {
		return nil, fmt.Errorf("certificate request %s: %w", name, err)
	}
	return file, nil
}

// paired is the certificate, base64 of PEM, with the key that it was asked for by.
func (m Master) paired(text string) ([]byte, error) {
	cert, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	pair, err := certs.Parse(cert, m.Joining.Key.PrivatePEM())
	if err == nil && pair.Cert.Subject.CommonName != nodeUser(m.Config) {
		err = errors.New("the certificate is for " + pair.Cert.Subject.CommonName)
	}
	if err != nil {
		return nil, err
	}
	return slices.Concat(pair.CertPEM(), m.Joining.Key.PrivatePEM()), nil
}

// signingRequest is the request as a kubelet makes it, so that the controller-manager approves it as a kubelet's.
func (m Master) signingRequest() (*unstructured.Unstructured, error) {
	subject := pkix.Name{CommonName: nodeUser(m.Config), Organization: []string{"system:nodes"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, m.Joining.Key.Private)
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	text := pemblock.EncodeToMemory(&pemblock.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
		"metadata": map[string]any{"generateName": "csr-"},
		"spec": map[string]any{
			"signerName": "kubernetes.io/kube-apiserver-client-kubelet",
			"request":    base64.StdEncoding.EncodeToString(text),
			"usages":     []any{"client auth", "digital signature"},
		},
	}}, nil
}
