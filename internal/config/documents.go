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

const (
	groupNow = "kubeadm.k8s.io/v1beta4"
	groupOld = "kubeadm.k8s.io/v1beta3"
)

// format is one kind of document.
type format struct {
	kind string
	// apiVersions are those that are read, the newest first.
	apiVersions []string
	// into is where the document goes.
	into func(*Config) any
}

// formats are the documents that are known. One file may hold all of them: each verb picks its own.
func formats() []format {
	both, now := []string{groupNow, groupOld}, []string{groupNow}
	return []format{
		{"InitConfiguration", both, func(c *Config) any { return &c.Init }},
		{"ClusterConfiguration", both, func(c *Config) any { return &c.Cluster }},
		{"JoinConfiguration", both, func(c *Config) any { return &c.Join }},
		{"UpgradeConfiguration", now, func(c *Config) any { return &c.UpgradeDocument }},
		{"ResetConfiguration", now, func(c *Config) any { return &c.Reset }},
		{"KubeletConfiguration", []string{"kubelet.config.k8s.io/v1beta1"}, func(c *Config) any { return &c.Kubelet }},
		{"KubeProxyConfiguration", []string{"kubeproxy.config.k8s.io/v1alpha1"}, func(c *Config) any { return &c.KubeProxy }},
	}
}

// shape is the type of the document.
func (f format) shape() reflect.Type { return reflect.TypeOf(f.into(&Config{})).Elem() }

// reading is what one verb reads of a file; the other documents are set aside.
type reading struct {
	// needs are the kinds of which one must be there, takes those that may be there as well.
	needs, takes []string
	// absent is the problem where none of needs is there, example the defaults that show one. Empty: then none is needed.
	absent, example string
}

func initReading() reading {
	return reading{
		needs: []string{"InitConfiguration", "ClusterConfiguration"}, takes: []string{"KubeletConfiguration", "KubeProxyConfiguration"},
		absent: "there is neither an InitConfiguration nor a ClusterConfiguration", example: "init-defaults",
	}
}

func joinReading() reading {
	return reading{needs: []string{"JoinConfiguration"}, absent: "there is no JoinConfiguration", example: "join-defaults"}
}

func resetReading() reading {
	return reading{needs: []string{"ResetConfiguration"}, absent: "there is no ResetConfiguration", example: "reset-defaults"}
}

func upgradeReading() reading {
	return reading{needs: []string{"UpgradeConfiguration"}, absent: "there is no UpgradeConfiguration", example: "upgrade-defaults"}
}

// livingReading is what a living cluster can be told to be.
func livingReading() reading {
	return reading{
		needs:  []string{"ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"},
		absent: "there is neither a ClusterConfiguration, nor one of the kubelet or of kube-proxy", example: "init-defaults",
	}
}

func (r reading) wants(kind string) bool {
	return slices.Contains(r.needs, kind) || slices.Contains(r.takes, kind)
}

// file is what a configuration file says, before flags and defaults.
type file struct {
	config     Config
	origins    origins
	complaints []Complaint
	warnings   []Complaint
	// first is the number of the document that held each kind.
	first map[string]int
	// documents is how many there were, empty ones left out.
	documents int
	// unread says that a document could not be read at all; what it may have said is not to be guessed.
	unread bool
}

// holds says that one of the kinds is in the file.
func (f file) holds(kinds []string) bool {
	return slices.ContainsFunc(kinds, func(kind string) bool { return f.first[kind] != 0 })
}

// document is one document of a file.
type document struct {
	number int
	// root is the whole document, node its mapping.
	root, node *yaml.Node
	format     format
	// old says that it is written as v1beta3.
	old bool
}

// read takes a file apart. Complaints do not stop it: what can be read is read.
func read(data []byte, source string, verb reading) file {
	f := file{origins: origins{}, first: map[string]int{}}
	r := reader{source: source, origins: origins{}}
	if len(data) > sizeLimit {
		f.unread, f.complaints = true, []Complaint{{Source: source, Problem: fmt.Sprintf("the file is too large for a configuration: at most %d KiB are read", sizeLimit>>10)}}
		return f
	}
	documents := f.split(&r, data)
	for _, d := range documents {
		r.document, r.origins = d.number, origins{}
		switch {
		case !verb.wants(d.format.kind):
			// Set aside: duplicate keys are all that matters.
			r.value(d.node, nil, "")
		case d.old:
			f.check(&r, d)
		}
	}
	for _, d := range modern(documents) {
		if verb.wants(d.format.kind) {
			f.add(&r, d)
		}
	}
	f.complaints = r.complaints
	return f
}

// split finds the documents whose kind is known.
func (f *file) split(r *reader, data []byte) []document {
	var documents []document
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		r.document++
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			r.complaints = append(r.complaints, notYAML(err, *r))
			f.unread = true
			return documents
		}
		if root.Content[0].ShortTag() == "!!null" {
			continue
		}
		f.documents++
		known, ok := f.identify(r, root.Content[0])
		if !ok {
			f.unread = true
			continue
		}
		f.first[known.kind] = r.document
		old := text(root.Content[0], "apiVersion").Value == groupOld
		documents = append(documents, document{r.document, &root, root.Content[0], known, old})
	}
}

// check reads a v1beta3 document as what it was written, for the complaints.
func (f *file) check(r *reader, d document) {
	r.old = true
	r.value(d.node, d.format.shape(), "")
	r.old = false
	if len(f.warnings) == 0 {
		f.warnings = append(f.warnings, Complaint{
			Source: r.source, Document: d.number, Line: text(d.node, "apiVersion").Line,
			Field: "apiVersion", Problem: groupOld + " is deprecated", Hint: "tripod config migrate writes it as " + groupNow,
		})
	}
}

// add reads one document into its place.
func (f *file) add(r *reader, d document) {
	said := len(r.complaints)
	r.document, r.origins = d.number, origins{}
	target := d.format.into(&f.config)
	value := r.value(d.node, d.format.shape(), "")
	if d.old {
		// What is wrong with it was said by check.
		r.complaints = r.complaints[:said]
	}
	if d.format.shape().Kind() == reflect.Struct {
		f.origins.add(r.origins)
	}
	if err := fill(target, value); err != nil {
		r.complain(d.node, wrong("", "%s can not be read: %v", d.format.kind, err))
	}
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
	case !slices.Contains(known[i].apiVersions, apiVersion.Value):
		r.complain(apiVersion, wrong("apiVersion", "%q is not read", apiVersion.Value).
			hint("tripod reads %s as %s", kind.Value, known[i].apiVersions[0]))
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
