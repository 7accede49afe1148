// Package bootstrap is what nodes join a cluster by: tokens and the Secrets that hold them, cluster-info and its
// signatures, and the certificates of a cluster sealed for upload. Formats are those of Kubernetes' bootstrap tokens
// (KEP 130, https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/) and of kubeadm.
package bootstrap

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Token lets a node that has nothing else authenticate, and trust cluster-info.
type Token struct {
	// ID is the public half, six of a-z and 0-9; Secret is the other, sixteen of them.
	ID, Secret string
}

var shape = regexp.MustCompile(`^([a-z0-9]{6})\.([a-z0-9]{16})$`)

// ParseToken reads ID.SECRET. The error repeats neither.
func ParseToken(s string) (Token, error) {
	found := shape.FindStringSubmatch(s)
	if found == nil {
		return Token{}, errors.New("a token is of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9")
	}
	return Token{ID: found[1], Secret: found[2]}, nil
}

// DrawToken draws a token at random.
func DrawToken() Token {
	text := strings.ToLower(rand.Text())
	return Token{ID: text[:6], Secret: text[6:22]}
}

// String is the whole token, which is a secret. Format keeps it out of what is printed by accident.
func (t Token) String() string { return t.ID + "." + t.Secret }

// Format prints the public half whatever the verb, so that no log or error ever holds a token.
func (t Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.ID+".***") }

// Sign is the signature of cluster-info's kubeconfig by the token: a JWS (RFC 7515) without its content, as the
// controller-manager's bootstrapsigner makes it.
func (t Token) Sign(kubeconfig string) (string, error) {
	header, err := json.Marshal(jwsHeader{Algorithm: "HS256", KeyID: t.ID})
	if err != nil {
		return "", err
	}
	protected := encode(header)
	return protected + ".." + encode(t.mac(protected, kubeconfig)), nil
}

type jwsHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

// mac is the signature over header and content.
func (t Token) mac(protected, kubeconfig string) []byte {
	mac := hmac.New(sha256.New, []byte(t.Secret))
	mac.Write([]byte(protected + "." + encode([]byte(kubeconfig))))
	return mac.Sum(nil)
}

// Verify is nil if jws is the token's signature of the kubeconfig.
func (t Token) Verify(kubeconfig, jws string) error {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 || parts[1] != "" {
		return errors.New("the signature is not a detached JWS")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return fmt.Errorf("the signature's header: %w", err)
	}
	var header jwsHeader
	if err := json.Unmarshal(text, &header); err != nil {
		return fmt.Errorf("the signature's header: %w", err)
	}
	if header.Algorithm != "HS256" || header.KeyID != t.ID {
		return fmt.Errorf("the signature is by %q with %q, not by %q with HS256", header.KeyID, header.Algorithm, t.ID)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, t.mac(parts[0], kubeconfig)) {
		return errors.New("the signature is not by this token")
	}
	return nil
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
