package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tripod.dev/tripod/internal/bootstrap"
)

const aToken = "abcdef.0123456789abcdef"

func TestTokenLines(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0f", 32)
	for line, tt := range map[string]struct {
		code      int
		out, errs string
	}{
		"token":                                   {0, "generate ", ""},
		"token create --dry-run":                  {0, "would create Secret kube-system/bootstrap-token-", ""},
		"token create --dry-run " + aToken:        {0, "would create Secret kube-system/bootstrap-token-abcdef\n", ""},
		"token create --dry-run --ttl=0":          {0, "would create", ""},
		"token create --dry-run --usages=signing": {0, "would create", ""},
		"token create --dry-run --print-join-command --certificate-key=" + key: {0, "would create", ""},
		"token delete --dry-run abcdef " + aToken:                              {0, "would delete Secret kube-system/bootstrap-token-abcdef\n", ""},
		"--kubeconfig=/nowhere token delete --dry-run abcdef":                  {0, "would delete", ""},
		"token create --kubeconfig=/nowhere/a.conf":                            {2, "", "no kubeconfig: open /nowhere/a.conf: no such file"},
		"token list --kubeconfig=/nowhere/a.conf":                              {2, "", "hint: --kubeconfig names one"},
		"token delete abcdef --kubeconfig=/nowhere/a.conf":                     {2, "", "no kubeconfig"},
		"token create a b":                                                        {2, "", "takes one token"},
		"token create --dry-run --ttl=-1s":                                        {2, "", "--ttl: -1s is less than 0"},
		"token create --dry-run --usages=x":                                       {2, "", "--usages=x: it is one of signing, authentication"},
		"token create --dry-run --groups=x":                                       {2, "", "does not begin with system:bootstrappers:"},
		"token create --dry-run --usages=signing --groups=system:bootstrappers:a": {2, "", "mean nothing without the usage authentication"},
		"token create --dry-run --certificate-key=" + key:                         {2, "", "--certificate-key goes with --print-join-command"},
		"token create --dry-run --print-join-command --certificate-key=0f":        {2, "", "is not 32 bytes in hex"},
		"token create --dry-run --config=/nowhere --ttl=1h":                       {2, "", "--ttl: can not be given together with --config"},
		"token create --dry-run --config=/nowhere":                                {2, "", "no such file"},
		"token create --dry-run --config=/nowhere " + aToken:                      {2, "", "can not be given together with --config"},
		"token delete":     {2, "", "takes the ID of a token"},
		"token list x":     {2, "", "takes no argument"},
		"token generate x": {2, "", "takes no argument"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			out, errs, code := tripod(t, strings.Fields(line)...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
		})
	}
}

// What is nearly a token is not repeated.
func TestTokensAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "delete"} {
		out, errs, code := tripod(t, "token", verb, "--dry-run", "abcdef.9876543210ABCDEF")
		if code != exitInput || strings.Contains(out+errs, "9876543210") {
			t.Errorf("token %s: exit code %d\n%s%s", verb, code, out, errs)
		}
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	for line, form := range map[string]string{
		"token generate":        `^[a-z0-9]{6}\.[a-z0-9]{16}\n$`,
		"certs certificate-key": `^[0-9a-f]{64}\n$`,
	} {
		first, _, _ := tripod(t, strings.Fields(line)...)
		second, _, _ := tripod(t, strings.Fields(line)...)
		if !regexp.MustCompile(form).MatchString(first) || first == second {
			t.Errorf("%s: %q, %q", line, first, second)
		}
	}
}

func TestTokensOfConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "init.yaml")
	write(t, file, `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- {token: abcdef.0123456789abcdef, ttl: 1h, description: mine}
- {token: 123456.0123456789abcdef, ttl: "0"}
- {token: 654321.0123456789abcdef, expires: "2040-01-01T00:00:00Z"}
`)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	records, err := recordsOf(file, now)
	if err != nil || len(records) != 3 {
		t.Fatalf("%v", err)
	}
	if r := records[0]; r.ID != "abcdef" || r.Description != "mine" || !r.Expires.Equal(now.Add(time.Hour)) || len(r.Groups) != 1 {
		t.Error(r.ID, r.Description, r.Expires, r.Groups)
	}
	if !records[1].Expires.IsZero() || records[2].Expires.Year() != 2040 {
		t.Error(records[1].Expires, records[2].Expires)
	}
}

func TestTokenTable(t *testing.T) {
	t.Parallel()
	token, err := bootstrap.ParseToken(aToken)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	records := []bootstrap.Record{
		{Token: token, Expires: now.Add(23 * time.Hour), Usages: []string{"signing", "authentication"}, Groups: []string{defaultNodeGroup}, Description: "for m2"},
		{Token: token},
	}
	var out bytes.Buffer
	if err := tokenTable(&out, records, now); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"json", "yaml"} {
		out.WriteString("--- " + format + "\n")
		if err := printTokens(&out, format, records); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "testdata/tokens.txt", out.String())
	out.Reset()
	if err := tokenTable(&out, nil, now); err != nil || out.Len() > 0 {
		t.Errorf("of none: %v %s", err, out.String())
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
