package discovery

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tripod.dev/tripod/internal/bootstrap"
)

const (
	answerWithin = 5 * time.Second
	answerLimit  = 4 << 20
)

// blind is a client for what proves itself otherwise.
func (i *inquiry) blind() *http.Client {
	return client(&tls.Config{InsecureSkipVerify: true}) // signature and pins vouch for what is read
}

// trusting is a client of the server that the authorities vouch for, at the time that this machine takes it to be.
func (i *inquiry) trusting(a authorities) *http.Client {
	return client(&tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does it: crypto/tls takes no intermediates but the server's
		VerifyConnection:   func(s tls.ConnectionState) error { return a.verify(s.PeerCertificates, i.host(), i.Now()) },
	})
}

// host is the endpoint's, without its port.
func (i *inquiry) host() string {
	host, _, err := net.SplitHostPort(i.Endpoint)
	if err != nil {
		return strings.Trim(i.Endpoint, "[]") // an URL without a port
	}
	return host
}

// client follows nobody elsewhere: what is asked is verified, where it would send us is not.
func client(trust *tls.Config) *http.Client {
	return &http.Client{
		Timeout:       answerWithin,
		Transport:     &http.Transport{TLSClientConfig: trust, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// info reads the data of cluster-info.
func (i *inquiry) info(ctx context.Context, c *http.Client) (map[string]string, error) {
	address := i.server() + "/api/v1/namespaces/" + bootstrap.InfoNamespace + "/configmaps/" + bootstrap.InfoName
	status, body, err := i.get(ctx, c, address, "")
	if err != nil {
		return nil, i.unwell(ctx, err)
	}
	var object struct {
		Data map[string]string `json:"data"`
	}
	if status == http.StatusOK {
		err = json.Unmarshal(body, &object)
	}
	if status == http.StatusOK && err == nil && object.Data[bootstrap.InfoKey] != "" {
		return object.Data, nil
	}
	reason := i.unwell(ctx, fmt.Errorf("%s has no cluster-info for everybody to read (%d %s)", i.Endpoint, status, http.StatusText(status)))
	if status < http.StatusInternalServerError && i.mute.IsZero() && i.overdue() {
		return nil, &Error{Unsigned, fmt.Errorf("%w\nhint: %s", reason, hintFor(status))}
	}
	return nil, reason
}

// hintFor is what to do about a cluster-info that nobody may read, or that is not there.
func hintFor(status int) string {
	if status == http.StatusUnauthorized {
		return "it answers nobody whom it does not know (anonymous requests are off): join by a file, --discovery-file"
	}
	return "on a master, tripod init phase bootstrap-token makes it"
}

// unwell looks at what is behind an answer that does not come, or is of no use: an apiserver whose etcd has lost its
// quorum says so, and nothing else that it says can be relied on: when it was started since, it knows of no roles and
// forbids everything, the question for its health too. Any other reason stays what it is.
func (i *inquiry) unwell(ctx context.Context, reason error) error {
	var certain *Error
	if errors.As(reason, &certain) || ctx.Err() != nil {
		return reason
	}
	status, body, err := i.get(ctx, i.blind(), i.server()+"/readyz?verbose&exclude=etcd-readiness", "") // either check takes 2 s to fail
	if err != nil {
		return reason // an apiserver that has no etcd for long is started again, so that this says nothing of its etcd
	}
	silent, patience := &Error{Kind: NoEtcd}, i.patience.etcd
	switch {
	case status == http.StatusForbidden:
		silent.Kind, patience = Forbidding, i.patience.rbac
		silent.Err = fmt.Errorf("the apiserver at %s forbids everything, the question for its health too: it can not read its rules (RBAC), as one that has just begun, or whose etcd does not answer", i.Endpoint)
	case status != http.StatusOK && bytes.Contains(body, []byte("[-]etcd failed")):
		silent.Err = fmt.Errorf("the apiserver at %s answers, and its etcd does not (readyz: [-]etcd failed): it has lost its quorum, or is down", i.Endpoint)
	default:
		i.mute = time.Time{}
		return reason
	}
	if i.mute.IsZero() {
		i.mute = time.Now()
	}
	if time.Since(i.mute) < patience {
		return silent.Err
	}
	silent.Err = fmt.Errorf("%w\nhint: bring the dead members back (on a master that lives, tripod etcd member list shows which); "+
		"if most of them are gone for good, restore a snapshot on one master", silent.Err)
	return silent
}

// authenticates asks, with the token, for what does not matter: 401 says that the cluster does not know it.
func (i *inquiry) authenticates(ctx context.Context, c *http.Client) (status int, err error) {
	status, _, err = i.get(ctx, c, i.server()+"/api", i.Token.String())
	return status, err
}

func (i *inquiry) get(ctx context.Context, c *http.Client, address, token string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, &Error{BadFile, err}
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, nil, i.unanswered(ctx, err)
	}
	defer response.Body.Close()
	i.note(response.Header)
	body, err = io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return 0, nil, i.unanswered(ctx, err)
	}
	return response.StatusCode, body, nil
}

// note remembers the server's clock.
func (i *inquiry) note(header http.Header) {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		i.date, i.at = date, i.Now()
	}
}

// unanswered is a request without an answer: what certificates have to do with is final, and may be the clock's fault.
func (i *inquiry) unanswered(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Source != nil {
		err = &net.OpError{Op: op.Op, Net: op.Net, Addr: op.Addr, Err: op.Err} // our own port is another one each time
	}
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return fmt.Errorf("asking %s: %w", i.Endpoint, err)
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && i.askew(ctx, invalid.Cert) {
		return &Error{BadClock, fmt.Errorf("this machine's clock says %s, the apiserver at %s said %s: its certificate can not be valid here\nhint: set the clock, and keep it set (chrony, systemd-timesyncd)",
			stamp(i.at), i.Endpoint, stamp(i.date))}
	}
	hint := ""
	if len(i.CAHashes) > 0 {
		hint = "\nhint: of the authorities in cluster-info only those count that are pinned; tripod token create --print-join-command on a master prints all pins"
	}
	return &Error{BadCA, fmt.Errorf("the apiserver at %s can not be trusted: %w%s", i.Endpoint, verification.Err, hint)}
}

// askew says whether the certificate is valid by the server's clock, which nobody vouches for: it explains, no more.
func (i *inquiry) askew(ctx context.Context, cert *x509.Certificate) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, i.server()+"/version", nil)
	if err != nil {
		return false
	}
	if response, err := i.blind().Do(request); err == nil {
		_ = response.Body.Close()
		i.note(response.Header)
	}
	return !i.date.IsZero() && !i.date.Before(cert.NotBefore) && !i.date.After(cert.NotAfter)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
