package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/phases"
)

// someExpirations are a bit of everything, at that time.
func someExpirations() ([]phases.Expiration, time.Time) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	pki := "/etc/kubernetes/pki/"
	return []phases.Expiration{
		{Name: "admin.conf", File: "/etc/kubernetes/admin.conf", Err: errors.New("read /etc/kubernetes/admin.conf: permission denied")},
		{Name: "apiserver", File: pki + "apiserver.crt", Authority: "ca", NotAfter: now.Add(-time.Hour), Used: new(true)},
		{Name: "ca", File: pki + "ca.crt", NotAfter: now.Add(9 * yearly)},
		{Name: "etcd-ca", File: pki + "etcd/ca.crt", NotAfter: now.Add(9 * yearly), External: true},
		{Name: "etcd-server", File: pki + "etcd/server.crt", Authority: "etcd-ca", NotAfter: now.Add(29 * 24 * time.Hour), External: true, Used: new(false)},
		{Name: "front-proxy-ca", File: pki + "front-proxy-ca.crt", Missing: true},
		{Name: "front-proxy-client", File: pki + "front-proxy-client.crt", Authority: "front-proxy-ca", NotAfter: now.Add(31 * 24 * time.Hour)},
		{Name: "scheduler.conf", File: "/etc/kubernetes/scheduler.conf", Missing: true},
	}, now
}

func TestExpirationShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	all, now := someExpirations()
	err := errors.Join(expirationTables(&out, all, now), printAs(&out, "json", expirationDocumentOf(all, now)), printAs(&out, "yaml", expirationDocumentOf(all[1:3], now)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/expiration.txt", out.String())
}

func TestUrgency(t *testing.T) {
	t.Parallel()
	all, now := someExpirations()
	want := map[string]style{"admin.conf": red, "apiserver": red, "etcd-server": yellow}
	for _, e := range all {
		if got := urgency(e, now); got != want[e.Name] {
			t.Errorf("%s: %q", e.Name, got)
		}
	}
}

// What can't be read is told whoever asks, what ends only to those who want to know.
func TestExpirationComplaints(t *testing.T) {
	t.Parallel()
	all, now := someExpirations()
	unread := "read /etc/kubernetes/admin.conf: permission denied"
	ended, ends := "/etc/kubernetes/pki/apiserver.crt has ended at 2026-03-01T11:00:00Z", "/etc/kubernetes/pki/etcd/server.crt ends at 2026-03-30T12:00:00Z"
	for within, want := range map[time.Duration][]string{0: {unread}, 1: {unread, ended}, soon: {unread, ended, ends}} {
		f := expirationFlags{failWithin: within}
		var got []string
		for _, err := range f.complaints(all, now) {
			got = append(got, err.Error())
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("within %s: %q, want %q", within, got, want)
		}
	}
}

// The command reads the certificates of the directory that it is told, and says by its exit code what it has found.
func TestCheckExpiration(t *testing.T) {
	t.Parallel()
	ca, pki, file := aMaster(t)
	leaf, err := certs.Issue(certs.Spec{CommonName: "kube-apiserver", Usages: ca.Cert.ExtKeyUsage, CA: true, Algorithm: certs.ECDSAP256, Validity: 48 * time.Hour}, &ca, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(pki, "apiserver.crt"), string(leaf.CertPEM()))
	for line, tt := range map[string]struct {
		code      int
		out, errs string
	}{
		"--config " + file:                                 {0, "\n!MISSING! apiserver-etcd-client\n", ""},
		"--cert-dir " + pki:                                {0, "\nCERTIFICATE AUTHORITY      EXPIRES", ""},
		"--config " + file + " --fail-within 24h":          {0, "\n!MISSING! etcd-ca", ""},
		"--config " + file + " --fail-within 50h":          {4, "\napiserver ", "error: " + pki + "/apiserver.crt ends at "},
		"--config " + file + " --fail-within 720h -o json": {4, `"caName": "ca"`, "error: 2 things are wrong:"},
		"--config " + file + " -o yaml":                    {0, "kind: CertificateExpirationInfo\n", ""},
		"--config /nowhere":                                {2, "", "no such file"},
		"--cert-dir pki":                                   {2, "", "certificatesDir"},
		"-o xml":                                           {2, "", "--output=xml: it is one of text, json, yaml"},
		"--fail-within -1h":                                {2, "", "--fail-within: -1h0m0s is less than 0"},
		"x":                                                {2, "", "takes no argument"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			out, errs, code := tripod(t, append([]string{"certs", "check-expiration"}, strings.Fields(line)...)...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) || strings.Contains(out, "\x1b") {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
		})
	}
}

// A file that can't be parsed is named, after all others have been told of.
func TestCheckExpirationOfGarbage(t *testing.T) {
	t.Parallel()
	_, pki, file := aMaster(t)
	write(t, filepath.Join(pki, "apiserver.crt"), "hello")
	out, errs, code := tripod(t, "certs", "check-expiration", "--config", file, "-o", "json")
	var document expirationDocument
	if err := json.Unmarshal([]byte(out), &document); err != nil || len(document.Authorities) != 3 {
		t.Error(err, out)
	}
	if code != exitFailed || !strings.Contains(errs, filepath.Join(pki, "apiserver.crt")+": parsing the certificate: ") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
