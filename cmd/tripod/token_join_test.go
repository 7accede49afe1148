package main

import (
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/internal/bootstrap"
)

func TestJoinTarget(t *testing.T) {
	t.Parallel()
	ca, _, _ := aMaster(t)
	other, _, _ := aMaster(t)
	bundle := append(ca.CertPEM(), other.CertPEM()...)
	with := func(change func(*api.Config)) string {
		c := api.Config{Clusters: map[string]*api.Cluster{"": {Server: "https://10.0.0.1:6443", CertificateAuthorityData: bundle}}}
		change(&c)
		data, err := clientcmd.Write(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	server, pins, err := joinTarget(with(func(*api.Config) {}))
	if err != nil || server != "10.0.0.1:6443" || len(pins) != 2 || pins[0] != bootstrap.CAHash(ca.Cert) || pins[1] != bootstrap.CAHash(other.Cert) {
		t.Errorf("%s, %v, %v", server, pins, err)
	}
	server, _, err = joinTarget(with(func(c *api.Config) {
		c.Clusters["b"] = &api.Cluster{Server: "https://[fd00::1]:6443", CertificateAuthorityData: bundle}
		c.Contexts = map[string]*api.Context{"x": {Cluster: "b"}}
		c.CurrentContext = "x"
	}))
	if err != nil || server != "[fd00::1]:6443" {
		t.Errorf("%s, %v", server, err)
	}
	for want, text := range map[string]string{
		"no kubeconfig":       "{",
		"names no cluster":    with(func(c *api.Config) { c.Clusters["b"] = &api.Cluster{} }),
		"is no URL":           with(func(c *api.Config) { c.Clusters[""].Server = "x" }),
		"the kubeconfig's CA": with(func(c *api.Config) { c.Clusters[""].CertificateAuthorityData = nil }),
	} {
		if _, _, err := joinTarget(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
