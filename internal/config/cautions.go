package config

import (
	"slices"
	"strings"
)

// cautionsBefore are warnings about what setDefaults mends.
func (c *Config) cautionsBefore() []Complaint {
	for _, node := range []NodeRegistration{c.Init.NodeRegistration, c.Join.NodeRegistration} {
		if strings.HasPrefix(node.CRISocket, "/") {
			return []Complaint{wrong("nodeRegistration.criSocket", "a path without unix:// is deprecated")}
		}
	}
	return nil
}

// cautions are warnings about what is accepted, but hardly meant.
func (c *Config) cautions() []Complaint {
	return slices.Concat(
		c.cautionsVersions(),
		c.cautionsValidity(),
		c.cautionsGates(),
		c.cautionsTaints(),
		c.cautionsFamilies(),
	)
}

func (c *Config) cautionsVersions() []Complaint {
	var warnings []Complaint
	if c.Version.Pre != "" {
		warnings = append(warnings, wrong("kubernetesVersion", "%s is a pre-release", c.Version.Tag()))
	}
	if local := c.Cluster.Etcd.Local; local != nil && local.ImageTag != "" {
		tag := local.ImageTag
		if v, ok := etcdVersion(tag); !ok {
			warnings = append(warnings, wrong("etcd.local.imageTag", "%q is not a version: the image is taken for etcd %s", tag, v))
		}
	}
	return warnings
}

func (c *Config) cautionsValidity() []Complaint {
	var warnings []Complaint
	if c.LeafValidity > defaultLeaf {
		warnings = append(warnings, wrong("certificateValidityPeriod", "%s is longer than the recommended %s", c.LeafValidity, defaultLeaf))
	}
	if c.CAValidity > defaultCA {
		warnings = append(warnings, wrong("caCertificateValidityPeriod", "%s is longer than the recommended %s", c.CAValidity, defaultCA))
	}
	if c.LeafValidity > c.CAValidity {
		warnings = append(warnings, wrong("certificateValidityPeriod", "certificates are valid for longer (%s) than their CA (%s)", c.LeafValidity, c.CAValidity))
	}
	return warnings
}

func (c *Config) cautionsGates() []Complaint {
	var warnings []Complaint
	for _, name := range gateNames(c.Cluster.FeatureGates) {
		if slices.Contains(settledGates(), name) && !c.Cluster.FeatureGates[name] {
			warnings = append(warnings, wrong("featureGates."+name, "can not be switched off any more"))
		}
	}
	return warnings
}

func (c *Config) cautionsTaints() []Complaint {
	var warnings []Complaint
	for i, taint := range c.Node.Registration.Taints {
		if taint.TimeAdded != nil {
			warnings = append(warnings, wrong(at("nodeRegistration.taints", i)+".timeAdded", "is ignored: the cluster sets it"))
		}
	}
	return warnings
}

func (c *Config) cautionsFamilies() []Complaint {
	if len(c.Services) == 0 || len(c.Pods) == 0 {
		return nil
	}
	if len(c.Services) == len(c.Pods) && (len(c.Pods) == 2 || sameFamily(c.Services[0].Addr(), c.Pods[0].Addr())) {
		return nil
	}
	return []Complaint{wrong("networking.podSubnet", "pods and services are not of the same IP families")}
}
