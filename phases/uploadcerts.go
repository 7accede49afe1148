package phases

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/templates"
)

const (
	// uploadedFor is how long uploaded certificates stay.
	uploadedFor = 2 * time.Hour
	// uploadedStill is what they must have left not to be uploaded again.
	uploadedStill = time.Hour
)

// uploadedSecret names the Secret of the uploaded certificates.
func uploadedSecret() *unstructured.Unstructured {
	return cluster.Secret(bootstrap.Namespace, "kubeadm-certs")
}

// certsAccess lets those who join read the uploaded certificates, which only the key opens.
func certsAccess(m Master) ([]*unstructured.Unstructured, error) {
	if !m.UploadCerts {
		return nil, nil
	}
	return parseObjects(templates.UploadCerts())
}

// uploadCerts wants the authorities in the cluster, sealed with the certificate key, for masters that join (kubeadm:
// cmd/kubeadm/app/phases/copycerts). Those that are there stay, if the key opens them and they do not end too soon.
func uploadCerts(m Master) ([]Change, error) {
	if !m.UploadCerts {
		return nil, nil
	}
	key, err := bootstrap.ParseCertificateKey(m.CertificateKey)
	if err != nil {
		return nil, err
	}
	files, err := m.authorities()
	if err != nil {
		return nil, err
	}
	seen := m.Objects.Get(uploadedSecret())
	if err := cmp.Or(seen.Err(), m.Tokens.Err()); err != nil {
		return []Change{pending(objectKey(uploadedSecret()), err)}, nil
	}
	live, exists := seen.Value()
	if exists && m.endures(live) && opens(key, live, files) {
		return nil, nil
	}
	c := Change{Verb: "create", What: objectKey(uploadedSecret()), online: true, do: uploading(m, key, files)}
	if exists {
		c.Verb = "replace"
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c.Diff += fmt.Sprintf("+%s: sealed\n", name)
	}
	return []Change{c}, nil
}

// UploadCertificates does at once what the phase upload-certs does: what masters share on this machine goes to the
// cluster, sealed with the key (in hex), for those who are to join within two hours.
func UploadCertificates(ctx context.Context, s Site, c config.Config, client *cluster.Client, certificateKey string) error {
	key, err := bootstrap.ParseCertificateKey(certificateKey)
	if err != nil {
		return &InputError{err}
	}
	m := Master{Config: c, Facts: Facts{Now: host.Now(), lifetime: bootstrap.DrawToken()}}
	if m.PKI, err = readShared(s.Host, c); err != nil {
		return err
	}
	files, err := m.authorities()
	if err != nil {
		return err
	}
	access, err := parseObjects(templates.UploadCerts())
	if err != nil {
		return err
	}
	for _, o := range access {
		err := cluster.Insist(ctx, s.tell, func(ctx context.Context) error {
			_, err := client.Apply(ctx, o)
			return err
		})
		if err != nil {
			return fmt.Errorf("apply %s: %w", objectKey(o), err)
		}
	}
	s.api = func() (*cluster.Client, error) { return client, nil }
	return uploading(m, key, files)(ctx, s)
}

// readShared is what masters share, as it lies on this machine.
func readShared(h *host.Host, c config.Config) (PKI, error) {
	d := DiskPKI{Pairs: map[string][2][]byte{}}
	p := PKI{Pairs: map[string]certs.Pair{}}
	for _, name := range sharedAuthorities() {
		certPath, keyPath := pairPaths(c, name)
		cert, key, err := h.ReadPair(certPath, keyPath)
		if err != nil {
			return p, err
		}
		d.Pairs[name] = [2][]byte{cert, key}
	}
	sa := filepath.Join(c.Paths.PKI, "sa")
	for path, data := range map[string]*[]byte{sa + ".key": &d.SAKey, sa + ".pub": &d.SAPub} {
		f, _, err := h.Read(path)
		if err != nil {
			return p, err
		}
		*data = f.Data
	}
	if missing := d.missing(c); len(missing) > 0 {
		return p, &InputError{fmt.Errorf("this machine has no %s\nhint: run it on a master, or name its directory with --cert-dir", strings.Join(missing, ", "))}
	}
	var err error
	for name, files := range d.Pairs {
		if p.Pairs[name], err = certs.Parse(files[0], files[1]); err != nil {
			return p, fmt.Errorf("%s: %w", pairLabel(c, name), err)
		}
	}
	p.SA, err = certs.ParseKey(d.SAKey, d.SAPub)
	return p, err
}

// authorities are the files that masters share, by their names in the Secret. A key that is not here is empty.
func (m Master) authorities() (map[string][]byte, error) {
	files := map[string][]byte{"sa.key": m.PKI.SA.PrivatePEM(), "sa.pub": m.PKI.SA.PublicPEM()}
	for _, name := range sharedAuthorities() {
		pair := m.PKI.Pairs[name]
		key, err := pair.KeyPEM()
		if err != nil {
			return nil, err
		}
		name = uploadedName(name)
		files[name+".crt"], files[name+".key"] = pair.ChainPEM(), key
	}
	return files, nil
}

// endures says whether the token that the Secret lives as long as has enough time left.
func (m Master) endures(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetOwnerReferences(), func(owner metav1.OwnerReference) bool {
		return slices.ContainsFunc(m.knownTokens(), func(t bootstrap.Record) bool {
			return bootstrap.SecretPrefix+t.ID == owner.Name && !t.Expired(m.Now.Add(uploadedStill))
		})
	})
}

// opens says whether the Secret holds those files, sealed with that key.
func opens(key []byte, live *unstructured.Unstructured, files map[string][]byte) bool {
	data, _, err := unstructured.NestedStringMap(live.Object, "data")
	if err != nil || len(data) != len(files) {
		return false
	}
	for name, file := range files {
		sealed, err := base64.StdEncoding.DecodeString(data[name])
		if err != nil {
			return false
		}
		if len(file) == 0 && len(sealed) == 0 {
			continue
		}
		if plain, err := bootstrap.Open(key, sealed); err != nil || !bytes.Equal(plain, file) {
			return false
		}
	}
	return true
}

// uploading makes the Secret anew, owned by a token of no use: when that ends the controller-manager's tokencleaner removes
// it, and the garbage collector the Secret.
func uploading(m Master, key []byte, files map[string][]byte) func(context.Context, Site) error {
	return func(ctx context.Context, s Site) error {
		ctx, stop := context.WithTimeout(ctx, m.APICall)
		defer stop()
		client, err := s.api()
		if err != nil {
			return err
		}
		secret, err := sealedSecret(key, files)
		if err != nil {
			return err
		}
		return cluster.Insist(ctx, s.tell, func(ctx context.Context) error {
			lifetime, err := client.Apply(ctx, m.lifetimeRecord().Object())
			if err != nil {
				return err
			}
			// A Secret has one owner only, and the earlier one ends too soon.
			if err := client.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			secret.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(lifetime, lifetime.GroupVersionKind())})
			_, err = client.Apply(ctx, secret)
			return err
		})
	}
}

func (m Master) lifetimeRecord() bootstrap.Record {
	return bootstrap.Record{
		Token: m.lifetime, Expires: m.Now.Add(uploadedFor),
		Description: "Proxy for managing TTL for the kubeadm-certs secret",
	}
}

func sealedSecret(key []byte, files map[string][]byte) (*unstructured.Unstructured, error) {
	data := map[string]any{}
	for name, file := range files {
		data[name] = ""
		if len(file) == 0 {
			continue
		}
		sealed, err := bootstrap.Seal(key, file)
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", name, err)
		}
		data[name] = base64.StdEncoding.EncodeToString(sealed)
	}
	secret := uploadedSecret()
	secret.Object["data"] = data
	return secret, nil
}
