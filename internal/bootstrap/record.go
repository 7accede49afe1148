package bootstrap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
)

const (
	// Namespace is where tokens and uploaded certificates live.
	Namespace = "kube-system"
	// SecretType is the type of a token's Secret.
	SecretType = "bootstrap.kubernetes.io/token"
	// SecretPrefix comes before the token's ID in the name of its Secret.
	SecretPrefix = "bootstrap-token-"
	// Signing and Authentication are what a token may be used for.
	Signing, Authentication = "signing", "authentication"

	usagePrefix = "usage-bootstrap-"
)

// Record is a token as its Secret keeps it.
type Record struct {
	Token
	Description string
	// Expires is zero for a token that never does.
	Expires time.Time
	// Usages are Signing, Authentication or both.
	Usages []string
	// Groups are those that a user with the token belongs to, besides system:bootstrappers.
	Groups []string
}

// Expired says whether the token's time is over.
func (r Record) Expired(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// For says whether the token may be used so.
func (r Record) For(usage string) bool { return slices.Contains(r.Usages, usage) }

// Object is the token's Secret.
func (r Record) Object() *unstructured.Unstructured {
	data := map[string][]byte{"token-id": []byte(r.ID), "token-secret": []byte(r.Secret)}
	if r.Description != "" {
		data["description"] = []byte(r.Description)
	}
	if !r.Expires.IsZero() {
		data["expiration"] = []byte(r.Expires.UTC().Format(time.RFC3339))
	}
	for _, usage := range r.Usages {
		data[usagePrefix+usage] = []byte("true")
	}
	if len(r.Groups) > 0 {
		data["auth-extra-groups"] = []byte(strings.Join(r.Groups, ","))
	}
	return cluster.Object(&corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: SecretPrefix + r.ID},
		Type:       SecretType,
		Data:       data,
	})
}

// ReadRecord reads a token's Secret.
func ReadRecord(o *unstructured.Unstructured) (Record, error) {
	secret, err := cluster.As[corev1.Secret](o)
	if err != nil {
		return Record{}, fmt.Errorf("secret %s can not be read", o.GetName()) // the cause may hold a value
	}
	r := Record{
		Token:       Token{ID: string(secret.Data["token-id"]), Secret: string(secret.Data["token-secret"])},
		Description: string(secret.Data["description"]),
	}
	if _, err := ParseToken(r.String()); err != nil {
		return Record{}, fmt.Errorf("secret %s: %w", o.GetName(), err)
	}
	if secret.Name != SecretPrefix+r.ID || secret.Type != SecretType {
		return Record{}, fmt.Errorf("secret %s is not that of token %s", o.GetName(), r.ID)
	}
	if text := string(secret.Data["expiration"]); text != "" {
		if r.Expires, err = time.Parse(time.RFC3339, text); err != nil {
			return Record{}, fmt.Errorf("secret %s: its expiration %q is not a time", o.GetName(), text)
		}
	}
	for _, usage := range []string{Signing, Authentication} {
		if string(secret.Data[usagePrefix+usage]) == "true" {
			r.Usages = append(r.Usages, usage)
		}
	}
	if groups := string(secret.Data["auth-extra-groups"]); groups != "" {
		r.Groups = strings.Split(groups, ",")
	}
	return r, nil
}
