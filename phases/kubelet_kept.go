package phases

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// registered says whether this machine is a node of the cluster already: its kubelet has been started with what was written
// for it, and its configuration may have been changed since, by its operator or by an upgrade.
func (m Master) registered() bool {
	conf := kubeletConfPath(m.Config)
	return m.Joining != nil && m.Joining.Node != nil && m.Joining.Client.Cert != nil &&
		bytes.Equal(m.Files[conf].Data, m.PKI.Kubeconfigs[kubeletConf])
}

// kubeletDiffers tells what a node's kubelet has otherwise than one that joins now would: it stays.
func kubeletDiffers(m Master) []finding {
	if !m.registered() {
		return nil
	}
	files, err := kubeletFiles(m)
	if err != nil {
		return nil // the phase that wants them tells why
	}
	var differences []string
	for _, f := range files {
		old, there := m.Files[f.Path]
		if !there || bytes.Equal(old.Data, f.Data) {
			continue
		}
		if fields := differingFields(old.Data, f.Data); len(fields) > 0 {
			differences = append(differences, f.Path+" in "+strings.Join(fields, ", "))
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return []finding{{id: "KubeletConfiguration", harmless: true,
		problem: fmt.Sprintf("this machine is a node already, and its kubelet keeps what it has, which is not what it would get now: %s", strings.Join(differences, "; ")),
		hint:    "tripod upgrade node takes over the configuration that the cluster has"}}
}

// differingFields are the fields in which two documents differ. What is no document differs as a whole.
func differingFields(one, other []byte) []string {
	var a, b map[string]any
	if yaml.Unmarshal(one, &a) != nil || yaml.Unmarshal(other, &b) != nil {
		return []string{"its text"}
	}
	all := maps.Clone(b)
	maps.Copy(all, a)
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if string(document(a[name])) != string(document(b[name])) {
			fields = append(fields, name)
		}
	}
	return fields
}
