package phases

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
)

// Certificates are uploaded again where the key is another, they end soon, or the authorities have changed.
func TestUploadCerts(t *testing.T) {
	t.Parallel()
	m := newStage(t, "").gather(t)
	m.UploadCerts = true
	m.CertificateKey = bootstrap.DrawCertificateKey()
	uploaded := sealedFor(t, m)
	for name, tt := range map[string]struct {
		change func(*Master)
		verb   string
	}{
		"not asked for":             {func(m *Master) { m.UploadCerts = false }, ""},
		"none there":                {func(m *Master) { m.Objects = apiWith() }, "create"},
		"there":                     {func(*Master) {}, ""},
		"another key":               {func(m *Master) { m.CertificateKey = bootstrap.DrawCertificateKey() }, "replace"},
		"soon over":                 {func(m *Master) { m.Now = m.Now.Add(90 * time.Minute) }, "replace"},
		"no end":                    {func(m *Master) { m.Tokens = There[[]bootstrap.Record](nil) }, "replace"},
		"nobody says what is there": {func(m *Master) { m.Objects = Objects{} }, "look for"},
		"nobody says for how long":  {func(m *Master) { m.Tokens = Unknown[[]bootstrap.Record](errNotAsked) }, "look for"},
		"another CA":                {func(m *Master) { m.PKI.SA = newStage(t, "").gather(t).PKI.SA }, "replace"},
	} {
		t.Run(name, func(t *testing.T) {
			m := m
			m.Objects, m.Tokens = apiWith(uploaded), There([]bootstrap.Record{m.lifetimeRecord()})
			tt.change(&m)
			changes, err := uploadCerts(m)
			if err != nil {
				t.Fatal(err)
			}
			verb := ""
			for _, c := range changes {
				verb += c.Verb
			}
			if verb != tt.verb {
				t.Errorf("got %q, want %q", verb, tt.verb)
			}
		})
	}
}

// sealedFor is the Secret as it lies in the cluster after an upload.
func sealedFor(t *testing.T, m Master) *unstructured.Unstructured {
	t.Helper()
	key, err := bootstrap.ParseCertificateKey(m.CertificateKey)
	if err != nil {
		t.Fatal(err)
	}
	files, err := m.authorities()
	if err != nil || len(files) != 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	secret, err := sealedSecret(key, files)
	if err != nil {
		t.Fatal(err)
	}
	secret.SetOwnerReferences([]metav1.OwnerReference{{Name: m.lifetimeRecord().Object().GetName()}})
	return secret
}
