package config

import (
	"cmp"
	"slices"
	"strings"
)

// settle makes the Config of a machine that is reset. A container runtime that nobody named is the only one that is
// there; of several, none: the kubelet on the machine may know better.
func (o ResetOverrides) settle(c *Config, m Machine) []Complaint {
	r := &c.Reset
	c.Paths = PathsUnder(cmp.Or(o.Root, "/"))
	c.Paths.PKI, c.Paths.EtcdData = cmp.Or(r.CertificatesDir, m.PKI, c.Paths.PKI), cmp.Or(m.EtcdData, c.Paths.EtcdData)
	if strings.HasPrefix(r.CRISocket, "/") {
		r.CRISocket = "unix://" + r.CRISocket
	}
	r.Timeouts = r.Timeouts.withDefaults()
	c.Node = Node{SkipPhases: r.SkipPhases, Timeouts: r.Timeouts, DryRun: r.DryRun, Registration: NodeRegistration{
		Name: cmp.Or(m.Node, m.Hostname), CRISocket: cmp.Or(r.CRISocket, onlySocket(m.CRISockets)), IgnorePreflightErrors: lower(r.IgnorePreflightErrors),
	}}
	return slices.Concat(
		absolute("certificatesDir", c.Paths.PKI),
		checkResetSocket(r.CRISocket),
		checkPhases(r.SkipPhases),
		checkIgnored("ignorePreflightErrors", r.IgnorePreflightErrors),
		checkUnmountFlags(r.UnmountFlags),
		c.deriveTimeouts(*r.Timeouts),
	)
}

func checkResetSocket(socket string) []Complaint {
	if socket == "" || strings.HasPrefix(socket, "unix:///") {
		return nil
	}
	return []Complaint{wrong("criSocket", "%q is not of the form unix:///path", socket)}
}

// checkUnmountFlags takes those of umount2(2).
func checkUnmountFlags(flags []string) []Complaint {
	var complaints []Complaint
	for i, flag := range flags {
		complaints = append(complaints, oneOf(at("unmountFlags", i), flag, "MNT_FORCE", "MNT_DETACH", "MNT_EXPIRE", "UMOUNT_NOFOLLOW")...)
	}
	if slices.Contains(flags, "MNT_EXPIRE") && (slices.Contains(flags, "MNT_FORCE") || slices.Contains(flags, "MNT_DETACH")) {
		complaints = append(complaints, wrong("unmountFlags", "MNT_EXPIRE does not go together with MNT_FORCE or MNT_DETACH"))
	}
	return complaints
}
