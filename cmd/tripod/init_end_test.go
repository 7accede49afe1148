package main

import (
	"bytes"
	"strings"
	"testing"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/phases"
)

// aFirstMaster is one whose join command has something to say, with the flags of init that concern it.
func aFirstMaster(t *testing.T, ca certs.Pair, flags func(*config.Config)) phases.Master {
	t.Helper()
	c, _, err := config.Load(nil, "", config.Overrides{
		AdvertiseAddress: "10.0.0.1", NodeName: "m1", ControlPlaneEndpoint: "api.example.org:6443", Token: aToken,
	}, config.Machine{Hostname: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	flags(&c)
	m := phases.Master{Config: c, Facts: phases.Facts{PKI: phases.PKI{Pairs: map[string]certs.Pair{"ca": ca}}}}
	if c.UploadCerts {
		m.CertificateKey = "c0ffee"
	}
	return m
}

func TestFarewell(t *testing.T) {
	t.Parallel()
	whole := []phases.Event{{Phase: "certs", Kind: phases.Done}, {Phase: "wait-control-plane", Kind: phases.Proved}, {Phase: showJoin, Kind: phases.Done}}
	uploads := func(c *config.Config) { c.UploadCerts = true }
	secretive := func(c *config.Config) { c.UploadCerts, c.SkipTokenPrint, c.SkipCertificateKeyPrint = true, true, true }
	ca, _, _ := aMaster(t)
	var out bytes.Buffer
	for _, tt := range []struct {
		name  string
		flags func(*config.Config)
		ended []phases.Event
	}{
		{"init", func(*config.Config) {}, whole},
		{"init --upload-certs", uploads, whole},
		{"init --upload-certs --skip-token-print --skip-certificate-key-print", secretive, whole},
		{"init, one master alone", func(c *config.Config) { c.Cluster.ControlPlaneEndpoint = "" }, whole},
		{"init, without a token", func(c *config.Config) { c.Init.BootstrapTokens = nil }, whole},
		{"init --skip-phases show-join-command", uploads, whole[:2]},
		{"init phase show-join-command", func(*config.Config) {}, whole[2:]},
		{"init phase wait-control-plane", uploads, whole[1:2]},
	} {
		m := aFirstMaster(t, ca, tt.flags)
		out.WriteString("### " + tt.name + "\n")
		farewell(&out, kubeadmName, m, tt.ended)
		out.WriteString("### " + tt.name + " -o json\n")
		events := newProgress(&out, "json")
		joinEvents(timeless{events}, kubeadmName, m, tt.ended)
	}
	golden(t, "testdata/farewell.txt", strings.ReplaceAll(out.String(), bootstrap.CAHash(ca.Cert), "sha256:PIN"))
}

// timeless leaves out when it was.
type timeless struct{ progress }

func (p timeless) tell(e phases.Event) {
	p.progress.tell(phases.Event{Kind: e.Kind, Phase: e.Phase, Text: e.Text})
}
