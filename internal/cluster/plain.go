package cluster

import (
	"crypto/tls"
	"errors"
	"net/url"
)

// untrusted is a server whose certificate does not verify: it will not by waiting.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	return errors.As(err, &verification)
}

// plain is the reason without the words that net/http puts around it.
func plain(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.URL + ": " + wrapped.Err.Error()
	}
	return err.Error()
}
