package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Load reads the documents in data, puts the flags over them, fills in defaults, and derives what
// follows from them. source is what complaints call the file; it is empty where there is none, and data then is not read.
// The error is a *multierror.Error of every Complaint there is; the strings are warnings.
func Load(data []byte, source string, o Overrides, m Machine) (Config, []string, error) {
	f := file{origins: origins{}}
	if source != "" {
		f = read(data, source)
		f.complaints = append(f.complaints, f.missing(source)...)
	}
	f.complaints = append(f.complaints, o.check(source)...)
	return f.complete(o, m)
}

// Validate is Load for a file alone, on a machine that does not matter. Documents that init does not
// read are enough, too; the Config then is zero.
func Validate(data []byte, source string) (Config, error) {
	f := read(data, source)
	if f.documents > 0 && !f.forInit() {
		return Config{}, joined(f.complaints)
	}
	f.complaints = append(f.complaints, f.missing(source)...)
	c, _, err := f.complete(Overrides{}, placeholder(f.config))
	return c, err
}

func (f file) forInit() bool {
	return f.first["InitConfiguration"]+f.first["ClusterConfiguration"] > 0
}

// missing complains where init has nothing to read, unless the reason was said already.
func (f file) missing(source string) []Complaint {
	const hint = "tripod config print init-defaults shows what one looks like"
	switch {
	case len(f.complaints) > 0:
		return nil
	case f.documents == 0:
		return []Complaint{Complaint{Source: source, Problem: "no document was found in the file"}.hint(hint)}
	case !f.forInit():
		return []Complaint{Complaint{Source: source, Problem: "there is neither an InitConfiguration nor a ClusterConfiguration"}.hint(hint)}
	}
	return nil
}

// complete makes a Config of what was read.
func (f file) complete(o Overrides, m Machine) (Config, []string, error) {
	if f.unread {
		return Config{}, nil, joined(f.complaints)
	}
	c := f.config
	o.apply(&c, f.origins)
	warnings := c.cautionsBefore()
	c.setDefaults(o, m)
	// What can not be read has no value: to complain about its default as well would confuse.
	unreadable := slices.Clone(f.complaints)
	for _, complaint := range slices.Concat(c.validate(m), c.derive(o)) {
		if !covered(complaint.Field, unreadable) {
			f.complaints = append(f.complaints, f.origins.locate(complaint))
		}
	}
	var texts []string
	for _, warning := range append(warnings, c.cautions()...) {
		texts = append(texts, f.origins.locate(warning).Error())
	}
	if err := joined(f.complaints); err != nil {
		return Config{}, texts, err
	}
	return c, texts, nil
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
