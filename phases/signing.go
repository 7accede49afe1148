package phases

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/certs"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
)

// A SigningRequest is a leaf that an authority elsewhere is asked for.
type SigningRequest struct {
	// Name and Authority are as in Expiration.
	Name, Authority string
	// Server and Client are what the leaf has to be good for.
	Server, Client bool
	// File is where the request lies.
	File string
	// Changes put the key, or the kubeconfig that holds it, and the request in their places; none if they are there.
	Changes []Change
}

// SigningRequests reads the keys that there are of kubeadm's leafs and draws the others. It writes nothing. The error is an
// InputError for a key that can't be used.
func SigningRequests(h *host.Host, c config.Config) ([]SigningRequest, error) {
	var leafs []certs.Request
	for _, r := range pkiRequests(c) {
		if r.Issuer != "" && !notKubeadms(r.Name) {
			leafs = append(leafs, r)
		}
	}
	requests := make([]SigningRequest, len(leafs))
	var all errgroup.Group
	for i, leaf := range leafs {
		all.Go(func() (err error) {
			requests[i], err = signingRequest(h, c, leaf)
			return err
		})
	}
	return requests, all.Wait()
}

func signingRequest(h *host.Host, c config.Config, leaf certs.Request) (SigningRequest, error) {
	r := SigningRequest{
		Name: listedName(leaf.Name), Authority: listedName(leaf.Issuer),
		Server: slices.Contains(leaf.Spec.Usages, x509.ExtKeyUsageServerAuth),
		Client: slices.Contains(leaf.Spec.Usages, x509.ExtKeyUsageClientAuth),
		File:   strings.TrimSuffix(leaf.Label, ".crt") + ".csr",
	}
	file, key, err := keyOfLeaf(h, c, leaf)
	if err != nil {
		return r, err
	}
	old, _, err := h.Read(r.File)
	if err != nil {
		return r, err
	}
	request, err := key.SigningRequest(leaf.Spec, old.Data)
	if err != nil {
		return r, err
	}
	r.Changes, err = writeBoth(h, file, host.File{Path: r.File, Mode: 0o600, Data: request})
	return r, err
}

// writeBoth wants the key's file and then the request on disk: of a killed run a key is left, which the next one takes, and
// never a request for a key that nobody has.
func writeBoth(h *host.Host, key, request host.File) ([]Change, error) {
	var changes []Change
	m := Master{Facts: Facts{Files: map[string]host.File{}}}
	for _, f := range []host.File{key, request} {
		old, exists, err := h.Read(f.Path)
		if err != nil {
			return nil, err
		}
		if exists {
			m.Files[f.Path] = old
		}
		changes = append(changes, write(m, f)...)
	}
	return changes, nil
}

// keyOfLeaf is the leaf's key with the file that it is, or is to be, in.
func keyOfLeaf(h *host.Host, c config.Config, leaf certs.Request) (host.File, certs.Key, error) {
	path := leaf.Label
	if filepath.Ext(leaf.Name) != ".conf" {
		_, path = pairPaths(c, leaf.Name)
	}
	old, exists, err := h.Read(path)
	if err != nil {
		return old, certs.Key{}, err
	}
	if !exists {
		return drawnFor(c, leaf, path)
	}
	old.Mode &= 0o600
	key, err := keyIn(h, old)
	if err != nil {
		err = &InputError{fmt.Errorf("%s: %w\nhint: repair the file, or remove it to have its key drawn anew", path, err)}
	}
	return old, key, err
}

// keyIn is the private key of a key's file, or of a kubeconfig, that of the kubelet in the file that it rotates.
func keyIn(h *host.Host, f host.File) (certs.Key, error) {
	if filepath.Ext(f.Path) != ".conf" {
		return certs.ParseKey(f.Data, nil)
	}
	k, err := readKubeconfig(f.Data)
	switch {
	case err != nil:
		return certs.Key{}, err
	case len(k.keyPEM) > 0:
		return certs.ParseKey(k.keyPEM, nil)
	case k.keyFile == "":
		return certs.Key{}, errors.New("the kubeconfig holds no client key")
	}
	named, exists, err := h.Read(k.keyFile)
	if err != nil || !exists {
		return certs.Key{}, cmp.Or(err, fmt.Errorf("%s, where its key should be, is not there", k.keyFile))
	}
	return certs.ParseKey(named.Data, nil)
}

// drawnFor is a new key, in a kubeconfig that lacks only its certificate where the leaf is for one.
func drawnFor(c config.Config, leaf certs.Request, path string) (host.File, certs.Key, error) {
	f := host.File{Path: path, Mode: 0o600}
	key, err := certs.NewKey(leaf.Spec.Algorithm)
	if err != nil {
		return f, key, err
	}
	f.Data = key.PrivatePEM()
	if filepath.Ext(leaf.Name) == ".conf" {
		f.Data, err = kubeconfigOf(leaf.Name, c, leaf.Spec.CommonName, nil, &api.AuthInfo{ClientKeyData: key.PrivatePEM()})
	}
	return f, key, err
}
