package cluster

import (
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// attempts is how often eager asks: more often than there are masters, of which a balancer may try one after the other.
const attempts = 10

// eager is a transport that asks again soon where it is turned away, as by a balancer whose choice is a master that is
// not up yet. client-go would do so itself, after a second each time. What changes something is left to the caller.
type eager struct{ next http.RoundTripper }

func (e eager) RoundTrip(r *http.Request) (response *http.Response, err error) {
	for range attempts {
		response, err = e.next.RoundTrip(r)
		if err == nil || r.Method != http.MethodGet || !utilnet.IsConnectionReset(err) && !utilnet.IsProbableEOF(err) {
			return response, err
		}
		select {
		case <-r.Context().Done():
			return nil, err
		case <-time.After(again):
		}
	}
	return nil, err
}
