package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// format is one kind of document.
type format struct {
	kind, apiVersion string
	// into is where the document goes; nil sets it aside, for the verb that it is for.
	into func(*Config) any
}

// formats are the documents that are known. One file may hold all of them: each verb picks its own.
func formats() []format {
	const kubeadm = "kubeadm.k8s.io/v1beta4"
	return []format{
		{"InitConfiguration", kubeadm, func(c *Config) any { return &c.Init }},
		{"ClusterConfiguration", kubeadm, func(c *Config) any { return &c.Cluster }},
		{"JoinConfiguration", kubeadm, nil},
		{"UpgradeConfiguration", kubeadm, nil},
		{"ResetConfiguration", kubeadm, nil},
		{"KubeletConfiguration", "kubelet.config.k8s.io/v1beta1", func(c *Config) any { return &c.Kubelet }},
		{"KubeProxyConfiguration", "kubeproxy.config.k8s.io/v1alpha1", func(c *Config) any { return &c.KubeProxy }},
	}
}

// file is what a configuration file says, before flags and defaults.
type file struct {
	config     Config
	origins    origins
	complaints []Complaint
	// first is the number of the document that held each kind.
	first map[string]int
	// documents is how many there were, empty ones left out.
	documents int
	// unread says that a document could not be read at all; what it may have said is not to be guessed.
	unread bool
}

// read takes a file apart. Complaints do not stop it: what can be read is read.
func read(data []byte, source string) file {
	f := file{origins: origins{}, first: map[string]int{}}
	r := reader{source: source, origins: origins{}}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		r.document++
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.complaints = append(r.complaints, notYAML(err, r))
			f.unread = true
			break
		}
		f.add(&r, node.Content[0])
	}
	f.complaints = r.complaints
	return f
}

// add reads one document into its place.
func (f *file) add(r *reader, node *yaml.Node) {
	if node.ShortTag() == "!!null" {
		return
	}
	f.documents++
	known, ok := f.identify(r, node)
	if !ok {
		f.unread = true
		return
	}
	f.first[known.kind] = r.document
	if known.into == nil {
		r.passOver(node)
		return
	}
	target := known.into(&f.config)
	r.origins = origins{}
	value := r.value(node, reflect.TypeOf(target).Elem(), "")
	if reflect.TypeOf(target).Elem().Kind() == reflect.Struct {
		f.origins.add(r.origins)
	}
	if err := fill(target, value); err != nil {
		r.complain(node, wrong("", "%s can not be read: %v", known.kind, err))
	}
}

// passOver looks for duplicate keys only.
func (r *reader) passOver(node *yaml.Node) {
	r.origins = origins{}
	r.value(node, nil, "")
}

func (o origins) add(more origins) {
	for path, from := range more {
		if path != "" {
			o[path] = from
		}
	}
}

// fill goes through JSON, whose rules the types are written for.
func fill(target, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, target)
}

// identify finds out what a document is by its apiVersion and kind.
func (f *file) identify(r *reader, node *yaml.Node) (format, bool) {
	apiVersion, kind := text(node, "apiVersion"), text(node, "kind")
	known := formats()
	i := slices.IndexFunc(known, func(k format) bool { return k.kind == kind.Value })
	switch {
	case node.Kind != yaml.MappingNode:
		r.complain(node, wrong("", "a document must be a mapping, but is %s", kindOf(node)))
	case kind.Value == "":
		r.complain(kind, wrong("kind", "every document needs an apiVersion and a kind"))
	case i < 0:
		r.complain(kind, wrong("kind", "%q is not known", kind.Value).hint("%s", kindHint(kind.Value)))
	case apiVersion.Value != known[i].apiVersion:
		r.complain(apiVersion, wrong("apiVersion", "%q is not read", apiVersion.Value).
			hint("tripod reads %s as %s", kind.Value, known[i].apiVersion))
	case f.first[kind.Value] != 0:
		r.complain(kind, wrong("kind", "%s is given twice, first in document %d", kind.Value, f.first[kind.Value]))
	default:
		return known[i], true
	}
	return format{}, false
}

// text is the value of a top level key, or an empty node at the line of the document.
func text(node *yaml.Node, name string) *yaml.Node {
	if node.Kind == yaml.MappingNode {
		for pair := range slices.Chunk(node.Content, 2) {
			if pair[0].Value == name && pair[1].Kind == yaml.ScalarNode {
				return pair[1]
			}
		}
	}
	return &yaml.Node{Line: node.Line}
}

func kindHint(kind string) string {
	var kinds []string
	for _, known := range formats() {
		kinds = append(kinds, known.kind)
	}
	if near := Nearest(kind, kinds); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return fmt.Sprintf("known are %s", list(kinds))
}

// notYAML takes the line out of the parser's message.
func notYAML(err error, r reader) Complaint {
	c := Complaint{Source: r.source, Document: r.document, Problem: "not YAML: " + err.Error()}
	if found := regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`).FindStringSubmatch(err.Error()); found != nil {
		c.Line, _ = strconv.Atoi(found[1])
		c.Problem = "not YAML: " + found[2]
	}
	return c
}
