package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kubeletsBehind is how many minor versions a kubelet may be older than its apiserver.
const kubeletsBehind = 3

// masters finds apiservers that would be more than one minor version apart.
func (p Policy) masters() []error {
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(p.Components)) {
		v, known := p.Components[node]["kube-apiserver"]
		hint := "upgrade that master first (tripod upgrade node)"
		if v.Minor > p.To.Minor {
			hint = "upgrade this master further, or take that one back (tripod rollback)"
		}
		if apart := p.To.Minor - v.Minor; known && (apart > 1 || apart < -1) {
			errs = append(errs, fmt.Errorf("the apiserver of %s is %s: apiservers of one cluster must not be more than one minor version apart\nhint: %s", node, v.Tag(), hint))
		}
	}
	return errs
}

// kubelets finds those that would be newer than an apiserver, or much older.
func (p Policy) kubelets() []error {
	byVersion := map[Version][]string{}
	for _, node := range slices.Sorted(maps.Keys(p.Kubelets)) {
		byVersion[p.Kubelets[node]] = append(byVersion[p.Kubelets[node]], node)
	}
	var errs []error
	for _, v := range slices.SortedFunc(maps.Keys(byVersion), Version.Compare) {
		switch who := kubeletsOf(byVersion[v], v); {
		case v.Minor > p.To.Minor:
			errs = append(errs, fmt.Errorf("%s: kubelets must not be newer than an apiserver\nhint: install an earlier one there first", who))
		case p.To.Minor-v.Minor > kubeletsBehind:
			errs = append(errs, fmt.Errorf("%s: kubelets may be %d minor versions older than an apiserver, no more\nhint: install a newer one there first", who, kubeletsBehind))
		}
	}
	return errs
}

// mostNodes is how many are named: a cluster has thousands.
const mostNodes = 5

// kubeletsOf is "the kubelets of a, b are v1.33.1".
func kubeletsOf(nodes []string, v Version) string {
	if len(nodes) == 1 {
		return fmt.Sprintf("the kubelet of %s is %s", nodes[0], v.Tag())
	}
	named := nodes[:min(len(nodes), mostNodes)]
	text := strings.Join(named, ", ")
	if more := len(nodes) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the kubelets of %s are %s", text, v.Tag())
}
