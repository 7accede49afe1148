// Package discovery finds out, on a machine that knows of a cluster only an address and a token or a file, where the
// cluster is and whom to trust: cluster-info, verified by the token's signature and by pinned CA hashes, or a
// kubeconfig (https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/). It writes nothing.
//
// What may still come (an apiserver that starts, a signature that is being made) is waited for; what will not is told
// at once.
package discovery

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"tripod.dev/tripod/internal/bootstrap"
)

// The kinds of what can go wrong.
const (
	// BadToken is a token that the cluster does not know, or whose signature is not cluster-info's.
	BadToken Kind = "token"
	// BadCA is a cluster that is not the one whose CA was pinned, or whose certificate can not be trusted.
	BadCA Kind = "CA"
	// BadFile is a discovery file that can't be used.
	BadFile Kind = "file"
	// BadClock is a machine whose clock is so wrong that it takes good certificates for bad ones.
	BadClock Kind = "clock"
	// Unreachable is a cluster that has not answered.
	Unreachable Kind = "unreachable"
	// NoEtcd is a cluster whose etcd does not answer: without a quorum nobody can join.
	NoEtcd Kind = "etcd"
	// Forbidding is a cluster that forbids everything, as one without rules does, or without an etcd to read them from.
	Forbidding Kind = "RBAC"
	// Unsigned is a cluster that answers, and has no signed cluster-info.
	Unsigned Kind = "unsigned"
)

// Kind is what went wrong.
type Kind string

// Error is why discovery has failed.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Source is what the user knows of the cluster: Endpoint and Token, or File.
type Source struct {
	// Endpoint is host:port of an apiserver.
	Endpoint string
	// Token verifies cluster-info and, if TLSToken is zero, authenticates.
	Token bootstrap.Token
	// TLSToken authenticates; the zero Token leaves that to Token or to the file.
	TLSToken bootstrap.Token
	// CAHashes are the pins, sha256:...; any of them is enough. Unsafe lets a cluster be trusted without.
	CAHashes []string
	Unsafe   bool
	// File is the path or the https URL of a kubeconfig.
	File string
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// Found is the cluster.
type Found struct {
	// Server is its URL.
	Server string
	// CA are its authorities, as PEM.
	CA []byte
	// Skew is how far this machine's clock is ahead of the apiserver's, within a second or two; 0 if that tells no time.
	Skew time.Duration
	// Kubeconfig has server, CA and the credentials to join with. It is a secret.
	Kubeconfig []byte
}

// Discover looks until it has found the cluster, it is certain that it can't, or ctx is over. tell gets each new
// reason why it has not yet. The error is a *Error unless ctx was cancelled.
func Discover(ctx context.Context, s Source, tell func(reason string)) (Found, error) {
	return (&inquiry{Source: s, tell: tell, patience: patient()}).find(ctx)
}

func (i *inquiry) find(ctx context.Context) (Found, error) {
	if i.Now == nil {
		i.Now = time.Now
	}
	if i.File != "" {
		return i.byFile(ctx)
	}
	return i.byToken(ctx)
}

// inquiry is one discovery.
type inquiry struct {
	Source
	tell     func(string)
	patience patience
	// roots vouch for the server of a File at an https URL; nil are those of this machine.
	roots *x509.CertPool
	last  error
	// answered is when the cluster first said what is not enough yet; zero while it has said nothing.
	answered time.Time
	// mute is since when its etcd has not answered; zero if it does.
	mute time.Time
	// date is the apiserver's clock, and at ours then; zero if it never answered.
	date, at time.Time
}

const pause = 100 * time.Millisecond

// patience is for how long a cluster that answers may answer so.
type patience struct {
	// unsigned is without a cluster-info, or without a signature by the token.
	unsigned time.Duration
	// etcd is without an etcd, which may be starting again.
	etcd time.Duration
	// rbac is forbidding everything, as a fresh apiserver does until it has its rules.
	rbac time.Duration
}

func patient() patience {
	return patience{unsigned: 8 * time.Second, etcd: 15 * time.Second, rbac: 30 * time.Second}
}

// until asks again and again. An error that is an *Error is final.
func (i *inquiry) until(ctx context.Context, ask func(context.Context) error) error {
	for {
		err := ask(ctx)
		var final *Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return err
		case ctx.Err() != nil:
			return i.over(ctx, err)
		}
		if i.tell != nil && (i.last == nil || i.last.Error() != err.Error()) {
			i.tell(err.Error())
		}
		i.last = err
		select {
		case <-ctx.Done():
			return i.over(ctx, err)
		case <-time.After(pause):
		}
	}
}

// over is the error when the time is: the last reason that was not the end of the time itself.
func (i *inquiry) over(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if i.last != nil {
		err = i.last
	}
	return &Error{Unreachable, err}
}

// overdue says whether a cluster that answers has had its time to come up with something better.
func (i *inquiry) overdue() bool {
	if i.answered.IsZero() {
		i.answered = time.Now()
	}
	return time.Since(i.answered) > i.patience.unsigned
}

// found is the cluster with the credentials of user.
func (i *inquiry) found(cluster *api.Cluster, user *api.AuthInfo) (Found, error) {
	const name = "bootstrap"
	data, err := clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{name: cluster},
		AuthInfos:      map[string]*api.AuthInfo{name: user},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	f := Found{Server: cluster.Server, CA: cluster.CertificateAuthorityData, Kubeconfig: data}
	if !i.date.IsZero() {
		f.Skew = i.at.Sub(i.date)
	}
	return f, err
}
