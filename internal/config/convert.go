package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// modern rewrites v1beta3 documents as v1beta4, node by node: lines and comments stay what they were.
// A document is added where a field moves into one that is not there.
func modern(documents []document) []document {
	for _, d := range documents {
		if !d.old {
			continue
		}
		text(d.node, "apiVersion").Value = groupNow
		for _, path := range argPaths() {
			if parent := descend(d.node, path[:len(path)-1], false); parent != nil {
				listArgs(parent, path[len(path)-1])
			}
		}
		move(d.node, []string{"discovery", "timeout"}, d.node, "discovery")
		documents = moveHealthCheck(documents, d)
	}
	return documents
}

// argPaths are the maps of arguments that are lists now.
func argPaths() [][]string {
	return [][]string{
		{"apiServer", "extraArgs"},
		{"controllerManager", "extraArgs"},
		{"scheduler", "extraArgs"},
		{"etcd", "local", "extraArgs"},
		{"nodeRegistration", "kubeletExtraArgs"},
	}
}

// listArgs makes {b: 1, a: 2} to [{name: a, value: 2}, {name: b, value: 1}].
func listArgs(parent *yaml.Node, key string) {
	i := index(parent, key)
	if i < 0 {
		return
	}
	args := resolve(parent.Content[i+1])
	if args.Kind != yaml.MappingNode {
		return
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: args.Line, HeadComment: args.HeadComment}
	for pair := range slices.Chunk(args.Content, 2) {
		list.Content = append(list.Content, arg(pair[0], pair[1]))
	}
	slices.SortStableFunc(list.Content, func(a, b *yaml.Node) int { return cmp.Compare(a.Content[1].Value, b.Content[1].Value) })
	parent.Content[i+1] = list
}

// arg is one argument, in the line where it was written.
func arg(name, value *yaml.Node) *yaml.Node {
	plain := *name
	plain.HeadComment = ""
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: name.Line, HeadComment: name.HeadComment,
		Content: []*yaml.Node{scalar("name", name.Line), &plain, scalar("value", value.Line), value}}
}

// moveHealthCheck takes the timeout of the apiserver to the InitConfiguration.
func moveHealthCheck(documents []document, from document) []document {
	path := []string{"apiServer", "timeoutForControlPlane"}
	if parent := descend(from.node, path[:1], false); parent == nil || index(parent, path[1]) < 0 {
		return documents
	}
	i := slices.IndexFunc(documents, func(d document) bool { return d.format.kind == "InitConfiguration" })
	if i < 0 {
		i = len(documents)
		documents = append(documents, emptyInit(from))
	}
	move(from.node, path, documents[i].node, "controlPlaneComponentHealthCheck")
	return documents
}

// emptyInit stands in the place of the document that made it necessary.
func emptyInit(from document) document {
	line := from.node.Line
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: line, Content: []*yaml.Node{
		scalar("apiVersion", line), scalar(groupNow, line), scalar("kind", line), scalar("InitConfiguration", line)}}
	return document{from.number, node, node, formats()[0], true}
}

// move takes the value at path out of a document and puts it into the timeouts of another, unless
// a timeout of that name is there already.
func move(from *yaml.Node, path []string, to *yaml.Node, name string) {
	parent := descend(from, path[:len(path)-1], false)
	if parent == nil {
		return
	}
	i := index(parent, path[len(path)-1])
	if i < 0 {
		return
	}
	// An alias means nothing in another document.
	value := *resolve(parent.Content[i+1])
	value.Anchor = ""
	parent.Content = slices.Delete(parent.Content, i, i+2)
	if timeouts := descend(to, []string{"timeouts"}, true); timeouts != nil && index(timeouts, name) < 0 {
		timeouts.Content = append(timeouts.Content, scalar(name, value.Line), &value)
	}
}

// descend is the mapping at path, nil if there is none; missing ones are made where create is set.
func descend(node *yaml.Node, path []string, create bool) *yaml.Node {
	for _, key := range path {
		i := index(node, key)
		if i < 0 && create {
			i = len(node.Content)
			node.Content = append(node.Content, scalar(key, node.Line), &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: node.Line})
		}
		if i < 0 {
			return nil
		}
		node = resolve(node.Content[i+1])
		if node.Kind != yaml.MappingNode {
			return nil
		}
	}
	return node
}

// index is where key stands in a mapping, -1 if it does not.
func index(mapping *yaml.Node, key string) int {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func scalar(value string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: line}
}

// Migrate writes the documents of a file as kubeadm.k8s.io/v1beta4. Comments stay, nothing is
// defaulted, and documents of components are as they were. source is what complaints call the file.
func Migrate(data []byte, source string) ([]byte, error) {
	f := file{first: map[string]int{}}
	r := reader{source: source, origins: origins{}}
	documents := f.split(&r, data)
	for _, d := range documents {
		r.document, r.old, r.origins = d.number, d.old, origins{}
		r.value(d.node, d.format.shape(), "")
	}
	if len(r.complaints) == 0 && f.documents == 0 {
		r.complaints = []Complaint{{Source: source, Problem: "no document was found in the file"}}
	}
	if len(r.complaints) > 0 {
		return nil, joined(r.complaints)
	}
	return encode(modern(documents))
}

func encode(documents []document) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, d := range documents {
		if err := encoder.Encode(d.root); err != nil {
			return nil, fmt.Errorf("print %s: %w", d.format.kind, err)
		}
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	return out.Bytes(), nil
}
