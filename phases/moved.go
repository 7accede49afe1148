package phases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"tripod.dev/tripod/internal/etcd"
	"tripod.dev/tripod/manifests"
)

// moved refuses a master whose etcd member is known at another address than this machine has, or is to have: the address
// of a member is kept in etcd's data, and what is written into a manifest does not change it. The others go on to look for
// it where it was.
func moved(m Master) []finding {
	here := etcdHere(m.earlierManifest("etcd"))
	if m.Rootless || here.PeerURL == "" || !m.hasData() {
		return nil
	}
	for _, why := range []string{m.knownElsewhere(here), m.addressGone(here), m.otherAddress(here)} {
		if why != "" {
			return []finding{{id: "EtcdMoved", problem: why, hint: "give this machine the address of " + here.PeerURL +
				" (a further one on its interface will do); or, where other masters live, take it out here (tripod reset) and have it join anew"}}
		}
	}
	return nil
}

// knownElsewhere is what is wrong if etcd's members have another address of this one than its manifest.
func (m Master) knownElsewhere(here EtcdHere) string {
	for _, p := range m.etcdCluster().Members {
		if etcd.FormatID(p.ID) == m.Membership.Member && len(p.PeerURLs) > 0 && !here.Is(p) {
			return fmt.Sprintf("this machine has moved: etcd's members know that of this master at %s, and it runs at %s", strings.Join(p.PeerURLs, ", "), here.PeerURL)
		}
	}
	return ""
}

// addressGone is what is wrong if the member's address is none of this machine's. A host name may lead anywhere.
func (m Master) addressGone(here EtcdHere) string {
	u, err := url.Parse(here.PeerURL)
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil || len(m.Survey.Addresses) == 0 || slices.Contains(m.Survey.Addresses, addr.Unmap()) {
		return ""
	}
	return fmt.Sprintf("this machine has moved: its etcd member is known at %s, and the machine does not have that address", here.PeerURL)
}

// otherAddress is what is wrong if the member is to be told another address.
func (m Master) otherAddress(here EtcdHere) string {
	if m.Living != nil && (m.Living.Kept || m.Living.Back != nil) {
		return ""
	}
	pod, err := etcdPod(m)
	if err != nil {
		return "" // the phase that wants it tells why
	}
	wanted := firstOf(manifests.CommandFlags(pod)["initial-advertise-peer-urls"])
	if wanted == "" || wanted == here.PeerURL {
		return ""
	}
	return fmt.Sprintf("this master is to be at %s, and its etcd member is known at %s: etcd keeps the address that it was made with", wanted, here.PeerURL)
}

// astray are the members that answer their clients and can not be reached where the others look for them, and why: they have
// moved, or the way there is closed. A member that joins learns of the cluster there, and there its log is sent.
func astray(ctx context.Context, members []etcd.Peer) map[string]error {
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	found := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, p := range members {
		if p.Err != nil || !p.Started() {
			continue // which other checks tell of
		}
		all.Go(func() {
			if err := reachAny(ctx, p.PeerURLs); err != nil {
				mu.Lock()
				defer mu.Unlock()
				found[p.String()] = err
			}
		})
	}
	all.Wait()
	return found
}

// reachAny is nil if somebody listens at one of the URLs.
func reachAny(ctx context.Context, urls []string) error {
	var errs []error
	for _, text := range urls {
		u, err := url.Parse(text)
		if err == nil {
			var conn net.Conn
			if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host); err == nil {
				return conn.Close()
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// membersThere refuses to join beside a member that is not where etcd's members look for it.
func membersThere(m Master) []finding {
	var found []finding
	for _, p := range m.others() {
		if err := m.Joining.astray[p.String()]; err != nil {
			found = append(found, finding{id: "EtcdMoved",
				problem: fmt.Sprintf("etcd member %s answers its clients, and not its peers at %s: %v", p, strings.Join(p.PeerURLs, ", "), err),
				hint: fmt.Sprintf("open port %d between the masters; or if that machine has moved, give it the address that it had, or tell etcd of the new one there: etcdctl member update %s --peer-urls=https://ADDRESS:%d",
					etcdPeerPort, etcd.FormatID(p.ID), etcdPeerPort)})
		}
	}
	return found
}
