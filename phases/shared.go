package phases

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
)

// sharedAuthorities are the pairs that all masters have alike.
func sharedAuthorities() []string { return []string{clusterCA, frontProxyCA, etcdCA} }

// sharedFiles wants what masters share on disk: the authorities, and the key that signs service account tokens.
func sharedFiles(m Master) ([]Change, error) {
	var changes []Change
	for _, name := range sharedAuthorities() {
		written, err := pair(name)(m)
		if err != nil {
			return nil, err
		}
		changes = append(changes, written...)
	}
	sa, err := serviceAccountKey(m)
	return append(changes, sa...), err
}

// uploadedName is that of a shared file in the Secret of uploaded certificates.
func uploadedName(name string) string { return strings.ReplaceAll(name, "/", "-") }

// withShared is what lies on disk, completed by the uploaded certificates: of a file that is there already, the two have
// to be the same.
func (d DiskPKI) withShared(c config.Config, uploaded *unstructured.Unstructured) (DiskPKI, error) {
	if c.Join.ControlPlane.CertificateKey == "" {
		return d, d.complete(c)
	}
	files, err := unsealed(c.Join.ControlPlane.CertificateKey, uploaded)
	if err != nil {
		return d, &InputError{err}
	}
	var errs *multierror.Error
	for _, name := range sharedAuthorities() {
		cert, key := pairPaths(c, name)
		mine := d.Pairs[name]
		theirs := [2][]byte{files[uploadedName(name)+".crt"], files[uploadedName(name)+".key"]}
		errs = multierror.Append(errs, differ(cert, mine[0], theirs[0]), differ(key, mine[1], theirs[1]))
		d.Pairs[name] = theirs
	}
	sa := filepath.Join(c.Paths.PKI, "sa")
	errs = multierror.Append(errs, differ(sa+".key", d.SAKey, files["sa.key"]), differ(sa+".pub", d.SAPub, files["sa.pub"]))
	d.SAKey, d.SAPub = files["sa.key"], files["sa.pub"]
	if errs.ErrorOrNil() != nil {
		return d, &PreflightError{errs}
	}
	return d, d.complete(c)
}

// differ is an error for a file that is there and is not what the cluster has.
func differ(path string, mine, theirs []byte) error {
	if mine == nil || theirs == nil || bytes.Equal(bytes.TrimSpace(mine), bytes.TrimSpace(theirs)) {
		return nil
	}
	return finding{id: pathID("FileAvailable", path), problem: fmt.Sprintf("%s is another one than the cluster's (%s, that to join has %s)", path, kindOf(mine), kindOf(theirs)),
		hint: "it belongs to another cluster: move it away if nobody needs it"}
}

// kindOf is what a certificate or a key is, without what is secret of it.
func kindOf(data []byte) string { return summary(".pem", data) }

// missing are the shared files that are not there.
func (d DiskPKI) missing(c config.Config) []string {
	var missing []string
	for _, name := range sharedAuthorities() {
		if cert, _ := pairPaths(c, name); d.Pairs[name][0] == nil {
			missing = append(missing, cert)
		}
	}
	for name, data := range map[string][]byte{"sa.key": d.SAKey, "sa.pub": d.SAPub} {
		if data == nil {
			missing = append(missing, filepath.Join(c.Paths.PKI, name))
		}
	}
	slices.Sort(missing)
	return missing
}

// complete wants all shared files, without which a master would begin a cluster of its own.
func (d DiskPKI) complete(c config.Config) error {
	missing := d.missing(c)
	if len(missing) == 0 {
		return nil
	}
	return &InputError{fmt.Errorf("a further master needs what all masters share, and has no %s\n"+
		"hint: give the key of the uploaded certificates with --certificate-key (tripod token create --control-plane on a master prints the whole command), or copy the files from a master",
		strings.Join(missing, ", "))}
}

// unsealed are the files of the Secret, by their names there.
func unsealed(certificateKey string, uploaded *unstructured.Unstructured) (map[string][]byte, error) {
	key, err := bootstrap.ParseCertificateKey(certificateKey)
	if err != nil {
		return nil, err
	}
	if uploaded == nil {
		return nil, errors.New("the cluster has no uploaded certificates (Secret kube-system/kubeadm-certs): they live two hours\n" +
			"hint: on a master, tripod token create --control-plane uploads them anew, and prints the command to join by")
	}
	data, _, err := unstructured.NestedStringMap(uploaded.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("the uploaded certificates: %w", err)
	}
	files := map[string][]byte{}
	for name, text := range data {
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("the uploaded %s: %w", name, err)
		}
		if len(sealed) == 0 {
			continue // a key that the uploading master has not
		}
		if files[name], err = bootstrap.Open(key, sealed); err != nil {
			return nil, fmt.Errorf("the uploaded %s can not be opened with --certificate-key: %w\n"+
				"hint: on a master, tripod token create --control-plane uploads them anew, and prints the command to join by", name, err)
		}
	}
	return files, nil
}

// sameCA wants the CA that this machine has, or was given, to be that of the cluster which it joins.
func sameCA(cluster []byte, ca certs.Pair) error {
	joined, err := certs.Parse(cluster, nil)
	if err != nil {
		return fmt.Errorf("the cluster's CA: %w", err)
	}
	if err := (connection{ca: joined.Chain}).sameCluster(ca); err == nil {
		return nil
	}
	return &PreflightError{finding{id: "ClusterCA", problem: fmt.Sprintf("the CA here is %s, that of the cluster to join %s", certs.Fingerprint(ca.Cert.PublicKey), certs.Fingerprint(joined.Cert.PublicKey)),
		hint: "the files of another cluster were copied, or its certificate key was given"}}
}
