package bootstrap

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var sample = Token{ID: "abcdef", Secret: "s3cr3ts3cr3ts3cr"}

func TestParseToken(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"abcdef.s3cr3ts3cr3ts3cr": true, "": false, "abcdef": false, "ABCDEF.s3cr3ts3cr3ts3cr": false,
		"abcdef.s3cr3ts3cr3ts3cr\n": false, "abcdef.s3cr3ts3cr3ts3c": false, "abcdefg.s3cr3ts3cr3ts3cr": false,
	} {
		token, err := ParseToken(text)
		if (err == nil) != good || good && token.String() != text {
			t.Errorf("%q: %v, %v", text, token, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the error repeats it", text)
		}
	}
	if drawn := DrawToken(); drawn == DrawToken() {
		t.Error("a token was drawn twice")
	} else if _, err := ParseToken(drawn.String()); err != nil {
		t.Error(err)
	}
}

// What is printed by accident, alone or inside something else, holds no secret.
func TestFormat(t *testing.T) {
	t.Parallel()
	r := Record{Token: sample, Description: "what for"}
	for _, v := range []any{sample, &sample, r, &r, []Record{r}, struct{ T Token }{sample}, map[string]Token{"a": sample}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); !strings.Contains(text, "abcdef.***") && verb != "%x" || strings.Contains(text, sample.Secret) {
				t.Errorf("%s of %T: %s", verb, v, text)
			}
		}
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	jws, err := sample.Sign("kubeconfig")
	if err != nil || !strings.HasPrefix(jws, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"abcdef"}`))+"..") {
		t.Fatal(jws, err)
	}
	header, mac, _ := strings.Cut(jws, "..")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"abcdef"}`))
	for name, test := range map[string]struct {
		token           Token
		kubeconfig, jws string
		good            bool
	}{
		"its own":         {sample, "kubeconfig", jws, true},
		"other content":   {sample, "kubeconfig2", jws, false},
		"other secret":    {Token{"abcdef", "fedcba9876543210"}, "kubeconfig", jws, false},
		"other token":     {Token{"fedcba", sample.Secret}, "kubeconfig", jws, false},
		"no algorithm":    {sample, "kubeconfig", none + "..", false},
		"no signature":    {sample, "kubeconfig", header + "..", false},
		"not detached":    {sample, "kubeconfig", header + ".a." + mac, false},
		"nothing":         {sample, "kubeconfig", "", false},
		"no base64":       {sample, "kubeconfig", "%..%", false},
		"no JSON in head": {sample, "kubeconfig", "aa.." + mac, false},
	} {
		if err := test.token.Verify(test.kubeconfig, test.jws); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Record{
		"all":   {sample, "what for", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), []string{Signing, Authentication}, []string{"system:bootstrappers:a", "system:bootstrappers:b"}},
		"least": {Token: sample},
	} {
		read, err := ReadRecord(r.Object())
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(r, read); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestReadRecordRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*unstructured.Unstructured){
		"another name": func(o *unstructured.Unstructured) { o.SetName("bootstrap-token-other1") },
		"another type": func(o *unstructured.Unstructured) { o.Object["type"] = "Opaque" },
		"no secret":    func(o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, "data", "token-secret") },
		"no base64":    func(o *unstructured.Unstructured) { o.Object["data"].(map[string]any)["token-secret"] = "s3cr3t%" },
		"no time":      func(o *unstructured.Unstructured) { o.Object["data"].(map[string]any)["expiration"] = "c29vbg==" },
	} {
		o := Record{Token: sample}.Object()
		spoil(o)
		_, err := ReadRecord(o)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	key, err := ParseCertificateKey(DrawCertificateKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(key, []byte("plain"))
	if err != nil || len(sealed) != 12+len("plain")+16 {
		t.Fatal(sealed, err)
	}
	if plain, err := Open(key, sealed); err != nil || string(plain) != "plain" {
		t.Error(plain, err)
	}
	for name, bad := range map[string][]byte{"damaged": append(bytes.Clone(sealed[:20]), 0), "empty": nil} {
		if _, err := Open(key, bad); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open(make([]byte, KeySize), sealed); err == nil {
		t.Error("opened with another key")
	}
	for _, text := range []string{"", "zz", strings.Repeat("a", 62), strings.Repeat("a", 66)} {
		if _, err := ParseCertificateKey(text); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}
