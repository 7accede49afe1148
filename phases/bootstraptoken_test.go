package phases

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
)

const tokenDocument = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- token: abcdef.0123456789abcdef
certificateKey: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
`

func TestTokens(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	both := []string{bootstrap.Signing, bootstrap.Authentication}
	mine := bootstrap.Token{ID: "abcdef", Secret: "0123456789abcdef"}
	other := bootstrap.Token{ID: "zzzzzz", Secret: "0123456789abcdef"}
	live := func(token bootstrap.Token, left time.Duration, description string, usages ...string) bootstrap.Record {
		return bootstrap.Record{Token: token, Expires: now.Add(left), Description: description, Usages: usages}
	}
	day := &metav1.Duration{Duration: 24 * time.Hour}
	for name, tt := range map[string]struct {
		ttl     *metav1.Duration
		expires *metav1.Time
		drawn   bool
		live    []bootstrap.Record
		want    string // ID and hours left
	}{
		"new":                       {ttl: day, want: "abcdef 24h0m0s"},
		"never ends":                {ttl: &metav1.Duration{}, want: "abcdef never"},
		"ends then":                 {expires: &metav1.Time{Time: now.Add(time.Hour)}, want: "abcdef 1h0m0s"},
		"is there":                  {ttl: day, live: []bootstrap.Record{live(mine, time.Hour, "", both...)}, want: "abcdef 1h0m0s"},
		"has ended":                 {ttl: day, live: []bootstrap.Record{live(mine, -time.Hour, "", both...)}, want: "abcdef 24h0m0s"},
		"is there, another end":     {expires: &metav1.Time{Time: now.Add(2 * time.Hour)}, live: []bootstrap.Record{live(mine, time.Hour, "", both...)}, want: "abcdef 2h0m0s"},
		"another is there":          {ttl: day, live: []bootstrap.Record{live(other, time.Hour, "drawn", both...)}, want: "abcdef 24h0m0s"},
		"drawn":                     {ttl: day, drawn: true, want: "abcdef 24h0m0s"},
		"drawn before":              {ttl: day, drawn: true, live: []bootstrap.Record{live(other, time.Hour, "drawn", both...)}, want: "zzzzzz 1h0m0s"},
		"drawn before, soon over":   {ttl: day, drawn: true, live: []bootstrap.Record{live(other, time.Minute, "drawn", both...)}, want: "abcdef 24h0m0s"},
		"by somebody else":          {ttl: day, drawn: true, live: []bootstrap.Record{live(other, time.Hour, "", both...)}, want: "abcdef 24h0m0s"},
		"drawn before, other usage": {ttl: day, drawn: true, live: []bootstrap.Record{live(other, time.Hour, "drawn", both[0])}, want: "abcdef 24h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := Master{Facts: Facts{Now: now, Tokens: There(tt.live)}, Config: config.Config{TokenDrawn: tt.drawn}}
			m.Init.BootstrapTokens = []config.BootstrapToken{{Token: mine.String(), TTL: tt.ttl, Expires: tt.expires, Description: "drawn", Usages: both}}
			tokens, err := m.tokens()
			if err != nil || len(tokens) != 1 {
				t.Fatal(tokens, err)
			}
			got := tokens[0].ID + " never"
			if !tokens[0].Expires.IsZero() {
				got = tokens[0].ID + " " + tokens[0].Expires.Sub(now).String()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// cluster-info is signed by the tokens that may sign.
func TestClusterInfoIsSigned(t *testing.T) {
	t.Parallel()
	m := newStage(t, tokenDocument).gather(t)
	m.Init.BootstrapTokens = append(m.Init.BootstrapTokens, config.BootstrapToken{Token: "fedcba.0123456789abcdef", Usages: []string{bootstrap.Authentication}})
	tokens, err := m.tokens()
	if err != nil {
		t.Fatal(err)
	}
	info, err := clusterInfo(m, tokens)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := unstructured.NestedStringMap(info.Object, "data")
	if err != nil || len(data) != 2 {
		t.Fatalf("%d keys, %v", len(data), err)
	}
	if err := tokens[0].Verify(data["kubeconfig"], data["jws-kubeconfig-abcdef"]); err != nil {
		t.Error(err)
	}
	if !strings.Contains(data["kubeconfig"], "server: https://127.66.0.1:6443\n") {
		t.Errorf("cluster-info: %s", data["kubeconfig"])
	}
}

func TestJoinCommand(t *testing.T) {
	t.Parallel()
	m := newStage(t, tokenDocument).gather(t)
	pin := bootstrap.CAHash(m.PKI.Pairs[clusterCA].Cert)
	head := "tripod join 127.66.0.1:6443 --token "
	tail := " \\\n\t--discovery-token-ca-cert-hash " + pin
	for name, tt := range map[string]struct {
		change             func(*Master)
		worker, controller string
	}{
		"as it is": {func(*Master) {}, head + "abcdef.0123456789abcdef" + tail, " \\\n\t--control-plane"},
		"uploaded": {func(m *Master) { m.CertificateKey = "aa" }, head + "abcdef.0123456789abcdef" + tail, " \\\n\t--control-plane --certificate-key aa"},
		"withheld": {func(m *Master) { m.CertificateKey, m.SkipTokenPrint, m.SkipCertificateKeyPrint = "aa", true, true },
			head + "<value withheld>" + tail, " \\\n\t--control-plane --certificate-key <value withheld>"},
	} {
		m := m
		tt.change(&m)
		worker, controlPlane := m.JoinCommand("tripod")
		if diff := cmp.Diff([]string{tt.worker, tt.worker + tt.controller}, []string{worker, controlPlane}); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
	m.Init.BootstrapTokens = nil
	if worker, controlPlane := m.JoinCommand("tripod"); worker+controlPlane != "" {
		t.Errorf("without a token: %s %s", worker, controlPlane)
	}
}
