package phases

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/internal/host"
)

// answerWithin is the time that a component has for one answer.
const answerWithin = 2 * time.Second

// answerLimit is more than any answer is long: the metrics have some hundred kilobytes.
const answerLimit = 4 << 20

// A Prober asks the components of one master for their health. It keeps its connections from one attempt to
// the next, and the last reason that a component gave. Several attempts may go on at once.
type Prober struct {
	master  Master
	trust   map[string]*tls.Config
	clients map[string]*http.Client

	// alive asks whoever runs the pods.
	alive func(context.Context) error

	mu     sync.Mutex
	self   Membership // that the member has to be
	member *etcd.Member
	node   *cluster.Client // the kubelet's own
	last   map[string]error
	// refused is since when the apiserver has answered with 403; zero if it does not.
	refused time.Time
	// voteless is since when the member here has no vote by its data; zero if it has, or nobody has looked.
	voteless time.Time
}

// NewProber connects to nothing yet.
func NewProber(m Master) *Prober {
	p := &Prober{master: m, self: m.Membership, trust: m.trust(), clients: map[string]*http.Client{}, last: map[string]error{}}
	p.trust[anonymous] = withoutCredentials(p.trust["kube-apiserver"])
	for component, trust := range p.trust {
		p.clients[component] = &http.Client{
			Timeout:       answerWithin,
			Transport:     &http.Transport{TLSClientConfig: trust},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return p
}

// remember has the member be that one from now on.
func (p *Prober) remember(id Membership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self = id
}

// Close ends the connections.
func (p *Prober) Close() {
	for _, c := range p.clients {
		c.CloseIdleConnections()
	}
	p.forget(p.member)
	if p.node != nil {
		p.node.Close()
	}
}

// attempt asks once. When the time for the whole wait runs out in the middle of it, the reason that counts is
// the one before. A certificate that has expired does not get better, unless there is a newer one on disk to be read.
func (p *Prober) attempt(ctx context.Context, component string, ask func() error) error {
	err := ask()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && ctx.Err() != nil && p.last[component] != nil {
		return p.last[component]
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotAfter.Before(host.Now()) && p.onDisk(invalid.Cert) {
		err = final{err}
	}
	p.last[component] = err
	return err
}

// onDisk says whether the certificate is one of this master's as they lie on disk.
func (p *Prober) onDisk(cert *x509.Certificate) bool {
	for _, pair := range p.master.PKI.Pairs {
		if pair.Cert != nil && pair.Cert.Equal(cert) {
			return true
		}
	}
	return false
}

// get is nil if the component answers the URL with 200, otherwise the error holds the checks that it says have failed.
func (p *Prober) get(ctx context.Context, component, address string) error {
	_, err := p.body(ctx, component, address)
	return err
}

// body is what the component answers with 200.
func (p *Prober) body(ctx context.Context, component, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.clients[component].Do(request)
	if err != nil {
		return nil, unanswered(address, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return nil, unanswered(address, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError{response.StatusCode, fmt.Errorf("%s answers %s%s", address, response.Status, failedChecks(body))}
	}
	return body, nil
}

// unanswered tells why there was no answer, without the words that net/http puts around the reason.
func unanswered(address string, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return fmt.Errorf("%s has not answered within %s", address, answerWithin)
		}
		err = wrapped.Err
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		err = dial.Err // the address is said already
	}
	return fmt.Errorf("asking %s: %w", address, err)
}

// failedChecks are the checks of a health endpoint that failed, which it marks so: [-]etcd failed: reason withheld.
// An apiserver that has just begun has dozens: the first few are enough.
func failedChecks(body []byte) string {
	const enough = 3
	var failed []string
	for line := range strings.Lines(string(body)) {
		if check, found := strings.CutPrefix(line, "[-]"); found {
			failed = append(failed, strings.TrimSuffix(strings.TrimSpace(check), " failed: reason withheld"))
		}
	}
	switch more := len(failed) - enough; {
	case failed == nil:
		return ""
	case more > 0:
		return fmt.Sprintf(": not yet %s and %d more", strings.Join(failed[:enough], ", "), more)
	}
	return ": not yet " + strings.Join(failed, ", ")
}

// ask asks this master's etcd member. A connection over which that failed is not used again, so that the next attempt
// does not wait for gRPC's back-off.
func (p *Prober) ask(ctx context.Context, question func(*etcd.Member) error) error {
	p.mu.Lock()
	member := p.member
	p.mu.Unlock()
	if member == nil {
		var err error
		if member, err = etcd.Dial(ctx, p.master.etcdEndpoint(), p.trust["etcd"]); err != nil {
			return err
		}
		p.mu.Lock()
		p.member = member
		p.mu.Unlock()
	}
	err := question(member)
	if err != nil {
		p.forget(member)
	}
	return err
}

func (p *Prober) forget(member *etcd.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if member != nil && member == p.member {
		_ = p.member.Close() // nothing was written through it
		p.member = nil
	}
}

// proveAll asks all four at once.
func proveAll(ctx context.Context, p *Prober) error {
	proofs := map[string]func(context.Context, *Prober) error{
		"etcd": proveEtcd, "kube-apiserver": proveAPIServer,
		"kube-controller-manager": proveControllerManager, "kube-scheduler": proveScheduler,
	}
	var all errgroup.Group
	for component, prove := range proofs {
		all.Go(func() error {
			if err := prove(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", component, err)
			}
			return nil
		})
	}
	return all.Wait()
}
