package etcd

import (
	"strconv"
	"strings"
)

// release is MAJOR.MINOR.PATCH as numbers; of what is missing, zero.
type release [3]int

func parseRelease(text string) (r release, ok bool) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "-")
	for i, part := range strings.SplitN(text, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil {
			return r, false
		}
		r[i] = n
	}
	return r, true
}

// safePatch is the first 3.5 whose members a 3.6 takes over as they are: earlier ones may have kept removed members in their
// store, which come back with 3.6 (https://etcd.io/blog/2025/zombie_members_upgrade/).
const safePatch = 26

// Path is nil if a member's data can go from one release of etcd to another: any patch of the same minor, one minor up, and
// down to that which the data are still stored for. storage is the storage version, "" before 3.6. What can not be read as a
// version is not judged.
func Path(from, to, storage string) error {
	f, known := parseRelease(from)
	t, other := parseRelease(to)
	if !known || !other {
		return nil
	}
	switch minors := (t[0]-f[0])*1000 + t[1] - f[1]; {
	case minors == 0:
		return nil
	case minors < 0:
		return downgrade(from, to, storage, t)
	case minors > 1:
		return refused("etcd %s does not become %s at once: it goes one minor version at a time\nhint: upgrade it to %d.%d before", from, to, f[0], f[1]+1)
	case f[0] == 3 && f[1] == 5 && f[2] < safePatch:
		return refused("etcd %s must not become %s: members that were removed once may come back with it (before 3.5.%d)\n"+
			"hint: upgrade etcd to 3.5.%d first (etcd.local.imageTag)", from, to, safePatch, safePatch)
	}
	return nil
}

// downgrade is nil if the data are stored for the older release already.
func downgrade(from, to, storage string, t release) error {
	s, known := parseRelease(storage)
	if known && s[0] == t[0] && s[1] <= t[1] {
		return nil
	}
	stored := "its data are stored for " + storage
	if storage == "" {
		stored = "its data are not known to be stored for an older one"
	}
	return refused("etcd %s does not become %s: %s\nhint: etcdctl downgrade enable %d.%d prepares it, on all members; or restore a snapshot that was taken before the upgrade", from, to, stored, t[0], t[1])
}
