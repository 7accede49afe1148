package host

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// ReadPair reads a certificate and its key as PEM, each nil if it is not there. If a commit
// was killed after it had renamed the key and before it had renamed the certificate, the
// certificate that it had staged is the one returned.
func (h *Host) ReadPair(certPath, keyPath string) (cert, key []byte, err error) {
	inPlace, _, err := h.Read(certPath)
	staged, _, err2 := h.Read(stagedName(certPath))
	keyFile, _, err3 := h.Read(keyPath)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, nil, fmt.Errorf("read the pair of %s: %w", certPath, err)
	}
	return chooseCert(inPlace.Data, staged.Data, keyFile.Data), keyFile.Data, nil
}

// chooseCert is the certificate of key. The one in place goes first: a staged one may be
// torn, and only when its key has been renamed is it known to be whole.
func chooseCert(inPlace, staged, key []byte) []byte {
	if !paired(inPlace, key) && paired(staged, key) {
		return staged
	}
	return inPlace
}

func paired(cert, key []byte) bool {
	if len(cert) == 0 || len(key) == 0 {
		return false
	}
	_, err := tls.X509KeyPair(cert, key)
	return err == nil
}
