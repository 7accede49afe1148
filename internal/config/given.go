package config

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Given is what the documents and the flags of init say, apart from defaults.
type Given struct {
	fields origins
	// cluster says that there was a ClusterConfiguration: what it leaves out has its default, as in apply.
	cluster bool
}

// Gives says whether somebody has written the field, or all of what it is a part of.
func (g Given) Gives(field string) bool {
	for path := field; path != ""; path = parent(path) {
		if _, said := g.fields[path]; said {
			return true
		}
	}
	return false
}

// speaksOf is Gives, and what a ClusterConfiguration says by leaving it out. What names the cluster, and can not change, may be
// left out, and so may the version, and the algorithm of keys.
func (g Given) speaksOf(field string) bool {
	mayBeLeftOut := []string{"kubernetesVersion", "encryptionAlgorithm", "certificatesDir", "controlPlaneEndpoint", "clusterName",
		"networking.dnsDomain", "networking.serviceSubnet", "networking.podSubnet", "etcd.local.dataDir"}
	return g.Gives(field) || g.cluster && !slices.Contains(mayBeLeftOut, field)
}

// Differences are where what was given is not what a machine is that lives: has is its Config, as OfLiving makes it. What
// nobody has given makes no difference.
func (c Config) Differences(has Config) []Complaint {
	found := c.differences(leaves(has.Cluster), leaves(c.Cluster), c.Given.speaksOf)
	found = append(found, c.differences(has.own(), c.own(), c.Given.Gives)...)
	said := kubeletLeaves(c)
	return append(found, c.differences(kubeletLeaves(has), said, func(field string) bool { _, is := said[field]; return is })...)
}

// differences are those of the fields that are spoken of.
func (c Config) differences(has, given map[string]string, spoken func(field string) bool) []Complaint {
	all := maps.Clone(has)
	maps.Copy(all, given)
	var found []Complaint
	for _, field := range slices.Sorted(maps.Keys(all)) {
		now, wanted := has[field], given[field]
		if same(now, wanted) || !spoken(field) {
			continue
		}
		difference := wrong(field, "has %s, given %s", orNone(now), orNone(wanted))
		if strings.Contains(field, ".extraEnvs.") { // whose values may be secret
			difference.Problem = "is not what was given"
		}
		found = append(found, c.Given.fields.locate(difference))
	}
	return found
}

func orNone(value string) string { return cmp.Or(value, "none") }

// own are the fields of an InitConfiguration that a machine which lives does not change.
func (c Config) own() map[string]string {
	return map[string]string{
		"nodeRegistration.name":             c.Node.Registration.Name,
		"localAPIEndpoint.advertiseAddress": c.Advertise.Addr().String(),
		"localAPIEndpoint.bindPort":         strconv.Itoa(int(c.Advertise.Port())),
	}
}

func kubeletLeaves(c Config) map[string]string {
	all := map[string]string{}
	flatten(all, "KubeletConfiguration", plainly(c.Kubelet))
	return all
}

// leaves are the fields of a ClusterConfiguration by their paths, arguments and variables by their names.
func leaves(c ClusterConfiguration) map[string]string {
	all := map[string]string{}
	flatten(all, "", plainly(c))
	delete(all, "apiVersion")
	delete(all, "kind")
	return all
}

// plainly is the value as JSON decodes to it. What can not be JSON is nothing.
func plainly(v any) (plain any) {
	data, err := json.Marshal(v)
	if err != nil || json.Unmarshal(data, &plain) != nil {
		return nil
	}
	return plain
}

func flatten(all map[string]string, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			flatten(all, strings.TrimPrefix(path+"."+name, "."), v)
		}
	case []any:
		flattenList(all, path, value)
	case nil:
	case string:
		all[path] = value
	default:
		data, err := json.Marshal(value)
		if err == nil {
			all[path] = string(data)
		}
	}
}

// flattenList has lists of what has a name by that name, and any other as a whole.
func flattenList(all map[string]string, path string, list []any) {
	for _, element := range list {
		fields, _ := element.(map[string]any)
		name, named := fields["name"].(string)
		if !named {
			data, err := json.Marshal(list)
			if err == nil && len(list) > 0 {
				all[path] = string(data)
			}
			return
		}
		rest := maps.Clone(fields)
		delete(rest, "name")
		if value, only := rest["value"]; only && len(rest) == 1 {
			flattenArgument(all, path+"."+name, value)
			continue
		}
		flatten(all, path+"."+name, rest)
	}
}

// flattenArgument adds to the values of a flag that is given several times.
func flattenArgument(all map[string]string, path string, value any) {
	text, _ := value.(string)
	if before, again := all[path]; again {
		text = before + "," + text
	}
	all[path] = text
}
