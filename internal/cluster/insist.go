package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// again is the time between two attempts.
	again = 50 * time.Millisecond
	// rbacBootstraps is how long a fresh apiserver may refuse what its own rules will allow in a moment.
	rbacBootstraps = 30 * time.Second
)

// Insist attempts until it succeeds, ctx is over, or the error is one that does not get better by itself. tell, which
// may be nil, gets each new reason. Where the time is over, the error is the last real one.
func Insist(ctx context.Context, tell func(reason string), attempt func(context.Context) error) error {
	var last error
	for begun := time.Now(); ; {
		err := attempt(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return overdue(ctx, last, err)
		case !passing(err, time.Since(begun)):
			return err
		}
		if tell != nil && (last == nil || last.Error() != err.Error()) {
			tell(plain(err))
		}
		last = err
		select {
		case <-ctx.Done():
			return overdue(ctx, last, err)
		case <-time.After(again):
		}
	}
}

// overdue is what there is to say when the time is over: not that it is, but why it was needed.
func overdue(ctx context.Context, last, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if last == nil {
		last = err
	}
	return fmt.Errorf("not in time: %w", last)
}

// passing says whether the same request may soon succeed.
func passing(err error, since time.Duration) bool {
	var network net.Error
	var soon Soon
	switch {
	case errors.As(err, &soon):
		return true
	case apierrors.IsForbidden(err):
		return since < rbacBootstraps
	case apierrors.IsNotFound(err):
		return missingNamespace(err)
	case apierrors.IsConflict(err), apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err), apierrors.IsUnexpectedServerError(err):
		return true
	case errors.As(err, &network):
		return !untrusted(err)
	}
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err)
}

// missingNamespace is one that the apiserver makes by itself, a moment after its start.
func missingNamespace(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// Soon is an error that gets better by itself, whatever it is.
type Soon struct{ Err error }

func (e Soon) Error() string { return e.Err.Error() }
func (e Soon) Unwrap() error { return e.Err }
