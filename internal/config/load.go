package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// verb is init, join or reset: its flags, and what it makes of what was read.
type verb interface {
	// apply puts the flags over the documents.
	apply(*Config, origins)
	// settle fills in defaults, checks, and derives what follows.
	settle(*Config, Machine) []Complaint
	// cautions are warnings about the flags.
	cautions() []Complaint
}

// Load reads the documents in data, puts the flags over them, fills in defaults, and derives what
// follows from them. source is what complaints call the file; it is empty where there is none, and data then is not read.
// The error is a *multierror.Error of every Complaint there is; the strings are warnings.
func Load(data []byte, source string, o Overrides, m Machine) (Config, []string, error) {
	f := open(data, source, initReading())
	f.complaints = append(f.complaints, o.check(source)...)
	if n := f.first["KubeletConfiguration"]; n != 0 { // of whose fields no lines are known
		f.origins["staticPodPath"] = origin{source: source, document: n}
	}
	return f.complete(o, m)
}

// LoadJoin is Load for join: it reads a JoinConfiguration and sets all other documents aside, but for what a further
// master claims of its cluster. What the cluster has to say is missing until OfCluster.
func LoadJoin(data []byte, source string, o JoinOverrides, m Machine) (Config, []string, error) {
	if source != "" {
		o.ConfigFile = source
	}
	f := open(data, source, joinReading())
	f.complaints = append(f.complaints, o.check(source)...)
	c, warnings, err := f.complete(o, m)
	if c.Join.ControlPlane != nil {
		c.Join.Claimed = claimed(data, source)
	}
	return c, warnings, err
}

// claimed is the ClusterConfiguration in a file that is not there for it: one that can't be read claims nothing.
func claimed(data []byte, source string) *ClusterConfiguration {
	what := reading{needs: []string{"ClusterConfiguration"}}
	if source == "" {
		return nil
	}
	f := read(data, source, what)
	if len(f.complaints) > 0 || !f.holds(what.needs) {
		return nil
	}
	return &f.config.Cluster
}

// LoadReset is Load for reset: it reads a ResetConfiguration and sets all other documents aside.
func LoadReset(data []byte, source string, o ResetOverrides, m Machine) (Config, []string, error) {
	f := open(data, source, resetReading())
	f.complaints = append(f.complaints, o.check(source)...)
	return f.complete(o, m)
}

// LoadUpgrade is Load for the verbs that change a living machine: it reads an UpgradeConfiguration and sets all other
// documents aside, as kubeadm does. What the cluster has to say is missing until OfLiving.
func LoadUpgrade(data []byte, source string, o UpgradeOverrides, m Machine) (Config, []string, error) {
	what := o.reading()
	f := open(data, source, what)
	f.complaints = append(f.complaints, o.check(source)...)
	f.warnings = append(f.warnings, f.aside(source, what)...)
	return f.complete(o, m)
}

// aside are warnings about what describes the cluster: it is easily taken for what an upgrade changes.
func (f file) aside(source string, what reading) []Complaint {
	var warnings []Complaint
	for _, kind := range livingReading().needs {
		if n := f.first[kind]; n != 0 && !what.wants(kind) {
			warnings = append(warnings, Complaint{Source: source, Document: n, Field: "kind", Problem: kind + " is not read here"}.
				hint("tripod apply --file %s changes the configuration of a cluster", source))
		}
	}
	return warnings
}

func open(data []byte, source string, what reading) file {
	if source == "" {
		return file{origins: origins{}}
	}
	f := read(data, source, what)
	f.complaints = append(f.complaints, f.missing(source, what)...)
	return f
}

// Validate is Load and LoadJoin for a file alone, on a machine that does not matter. The Config is zero
// for a file that init does not read.
func Validate(data []byte, source string) (Config, error) {
	var c Config
	f := read(data, source, initReading())
	all := f.complaints
	if f.documents == 0 || f.holds(initReading().needs) {
		f.complaints = append(f.complaints, f.missing(source, initReading())...)
		c, all, _ = f.settled(Overrides{}, placeholder(f.config))
	}
	for _, other := range []struct {
		what reading
		verb verb
	}{{joinReading(), JoinOverrides{ConfigFile: source}}, {resetReading(), ResetOverrides{}}, {upgradeReading(), UpgradeOverrides{Verb: "node"}}} {
		g := read(data, source, other.what)
		if g.holds(other.what.needs) {
			_, g.complaints, _ = g.settled(other.verb, placeholder(Config{}))
		}
		all = append(all, g.complaints...)
	}
	if err := joined(distinct(all)); err != nil {
		return Config{}, err
	}
	return c, nil
}

// distinct drops what several readings of the same file all complain about.
func distinct(complaints []Complaint) []Complaint {
	seen := map[Complaint]bool{}
	return slices.DeleteFunc(complaints, func(c Complaint) bool {
		twice := seen[c]
		seen[c] = true
		return twice
	})
}

// missing complains where a verb has nothing to read, unless the reason was said already.
func (f file) missing(source string, what reading) []Complaint {
	c := Complaint{Source: source, Problem: what.absent}
	switch {
	case len(f.complaints) > 0 || what.absent == "" || f.holds(what.needs):
		return nil
	case f.documents == 0:
		c.Problem = "no document was found in the file"
	}
	return []Complaint{c.hint("tripod config print %s shows what one looks like", what.example)}
}

// complete makes a Config of what was read.
func (f file) complete(v verb, m Machine) (Config, []string, error) {
	c, complaints, warnings := f.settled(v, m)
	if err := joined(complaints); err != nil {
		return Config{}, warnings, err
	}
	return c, warnings, nil
}

func (f file) settled(v verb, m Machine) (Config, []Complaint, []string) {
	if f.unread {
		return Config{}, f.complaints, nil
	}
	c := f.config
	v.apply(&c, f.origins)
	c.Given = Given{fields: maps.Clone(f.origins), cluster: f.first["ClusterConfiguration"] != 0}
	warnings := c.cautionsBefore()
	// What can not be read has no value: to complain about its default as well would confuse.
	unreadable := slices.Clone(f.complaints)
	for _, complaint := range v.settle(&c, m) {
		if !covered(complaint.Field, unreadable) {
			f.complaints = append(f.complaints, f.origins.locate(complaint))
		}
	}
	var texts []string
	for _, warning := range slices.Concat(f.warnings, v.cautions()) {
		texts = append(texts, warning.Error())
	}
	for _, warning := range append(warnings, c.cautions()...) {
		texts = append(texts, f.origins.locate(warning).Error())
	}
	return c, f.complaints, texts
}

// settle makes the Config of a first master.
func (o Overrides) settle(c *Config, m Machine) []Complaint {
	c.setDefaults(o, m)
	complaints := slices.Concat(c.validate(m), c.derive(o))
	if sandbox := o.Loopback.IsValid(); !sandbox { // which has no kubelet
		complaints = append(complaints, c.checkManifests()...)
	}
	return complaints
}

// covered says that field, or a parent of it, has a complaint already.
func covered(field string, complaints []Complaint) bool {
	return slices.ContainsFunc(complaints, func(c Complaint) bool {
		return c.Field != "" && (field == c.Field || strings.HasPrefix(field, c.Field+".") || strings.HasPrefix(field, c.Field+"["))
	})
}

// placeholder is a machine with an address of the family that the documents ask for.
func placeholder(c Config) Machine {
	m := Machine{Hostname: "node", DefaultIP: netip.MustParseAddr("192.0.2.1"), Token: placeholderToken}
	first, _, _ := strings.Cut(c.Cluster.Networking.ServiceSubnet, ",")
	if prefix, err := netip.ParsePrefix(first); err == nil && prefix.Addr().Is6() {
		m.DefaultIP = netip.MustParseAddr("2001:db8::1")
	}
	return m
}
