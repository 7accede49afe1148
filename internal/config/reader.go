package config

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Bounds of what one file may hold, so that neither aliases of aliases, or of themselves, nor long keys above many values, whose
// paths all repeat them, can blow it up.
const (
	nodeLimit  = 100_000
	depthLimit = 100
	// pathLimit is how many bytes the paths of all values may have.
	pathLimit = 16 << 20
)

// reader walks YAML nodes along Go types. It finds what a decoder would pass over or report
// without its place, and hands back plain values (map[string]any, []any, string, bool, int64,
// float64, nil) that fit the type. What does not fit is a complaint and left out.
type reader struct {
	source     string
	document   int
	nodes      int // visited so far
	depth      int // of the node that is visited
	paths      int // bytes of paths so far
	exhausted  bool
	old        bool // documents are read as v1beta3
	origins    origins
	complaints []Complaint
}

func (r *reader) complain(node *yaml.Node, c Complaint) {
	c.Source, c.Document, c.Line = r.source, r.document, node.Line
	r.complaints = append(r.complaints, c)
}

// value reads node as t; a nil t takes whatever is there.
func (r *reader) value(node *yaml.Node, t reflect.Type, path string) any {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	r.nodes++
	r.depth++
	defer func() { r.depth-- }()
	if r.exhausted || r.nodes > nodeLimit || r.depth > depthLimit {
		r.exhaust(node, "the file holds more than %d values, or values more than %d deep", nodeLimit, depthLimit)
		return nil
	}
	r.origins[path] = origin{r.source, r.document, node.Line}
	if node.ShortTag() == "!!null" {
		return nil
	}
	return r.typed(node, t, path)
}

// affords says whether there is room for a path of that many bytes, and takes it.
func (r *reader) affords(node *yaml.Node, bytes int) bool {
	if r.paths += bytes; r.paths > pathLimit {
		r.exhaust(node, "the file holds too long keys above too many values")
	}
	return !r.exhausted
}

// exhaust complains once.
func (r *reader) exhaust(node *yaml.Node, why string, args ...any) {
	if !r.exhausted {
		r.complain(node, wrong("", why, args...))
	}
	r.exhausted = true
}

func (r *reader) typed(node *yaml.Node, t reflect.Type, path string) any {
	switch {
	case t == nil || t.Kind() == reflect.Interface:
		return r.untyped(node, path)
	case t.Kind() == reflect.Pointer:
		return r.typed(node, t.Elem(), path)
	case t == reflect.TypeFor[metav1.Duration](), t == reflect.TypeFor[metav1.Time]():
		return r.moment(node, t, path)
	case r.old && t == reflect.TypeFor[[]Arg]():
		return r.mapping(node, reflect.TypeFor[string](), path)
	case t.Kind() == reflect.Struct:
		return r.structure(node, t, path)
	case t.Kind() == reflect.Map:
		return r.mapping(node, t.Elem(), path)
	case t.Kind() == reflect.Slice:
		return r.list(node, t.Elem(), path)
	}
	return r.scalar(node, t, path)
}

// structure reads a mapping whose keys are the JSON names of t's fields.
func (r *reader) structure(node *yaml.Node, t reflect.Type, path string) any {
	known := r.fieldsOf(t)
	out := map[string]any{}
	r.pairs(node, path, func(key, value *yaml.Node, path string) {
		field, ok := known[key.Value]
		if !ok {
			r.complain(key, wrong(path, "unknown field").hint("%s", r.advice(key.Value, t, known)))
			return
		}
		out[key.Value] = r.value(value, field, path)
	})
	return out
}

func (r *reader) mapping(node *yaml.Node, elem reflect.Type, path string) any {
	out := map[string]any{}
	r.pairs(node, path, func(key, value *yaml.Node, path string) {
		out[key.Value] = r.value(value, elem, path)
	})
	return out
}

// pairs visits each key of a mapping once.
func (r *reader) pairs(node *yaml.Node, path string, visit func(key, value *yaml.Node, path string)) {
	if node.Kind != yaml.MappingNode {
		r.mistyped(node, path, "a mapping")
		return
	}
	lines := map[string]int{}
	for pair := range slices.Chunk(node.Content, 2) {
		key, value := pair[0], pair[1]
		if !r.affords(key, len(path)+len(key.Value)) {
			return
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			r.complain(key, wrong(path, "the keys of a mapping are plain names").hint("write the fields out instead of merging them"))
			continue
		}
		child := strings.TrimPrefix(path+"."+key.Value, ".")
		if first, twice := lines[key.Value]; twice {
			r.complain(key, wrong(child, "given twice, first in line %d", first))
			continue
		}
		lines[key.Value] = key.Line
		visit(key, value, child)
	}
}

func (r *reader) list(node *yaml.Node, elem reflect.Type, path string) any {
	if node.Kind != yaml.SequenceNode {
		return r.mistyped(node, path, "a list")
	}
	out := make([]any, len(node.Content))
	for i, item := range node.Content {
		if !r.affords(item, len(path)) {
			return nil
		}
		out[i] = r.value(item, elem, at(path, i))
	}
	return out
}

func (r *reader) untyped(node *yaml.Node, path string) any {
	switch node.Kind {
	case yaml.MappingNode:
		return r.mapping(node, nil, path)
	case yaml.SequenceNode:
		return r.list(node, nil, path)
	}
	if b, ok := boolean(node); ok {
		return b
	}
	switch node.ShortTag() {
	case "!!int":
		return r.number(node, reflect.TypeFor[int64](), path)
	case "!!float":
		return r.float(node, path)
	}
	return node.Value
}

func (r *reader) scalar(node *yaml.Node, t reflect.Type, path string) any {
	switch t.Kind() {
	case reflect.Bool:
		if b, ok := boolean(node); ok {
			return b
		}
		return r.mistyped(node, path, "true or false")
	case reflect.String:
		// A time stamp without quotes is text too.
		if tag := node.ShortTag(); node.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp") {
			return node.Value
		}
		return r.mistyped(node, path, "text")
	}
	return r.number(node, t, path)
}

func (r *reader) number(node *yaml.Node, t reflect.Type, path string) any {
	var n int64
	if node.ShortTag() != "!!int" {
		return r.mistyped(node, path, "a whole number")
	}
	if err := node.Decode(&n); err != nil || t.OverflowInt(n) {
		r.complain(node, wrong(path, "the number is out of range"))
		return nil
	}
	return n
}

func (r *reader) float(node *yaml.Node, path string) any {
	var f float64
	if err := node.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		r.complain(node, wrong(path, "is not a finite number"))
		return nil
	}
	return f
}

// moment reads a duration (4m0s) or a time (RFC 3339).
func (r *reader) moment(node *yaml.Node, t reflect.Type, path string) any {
	parse := func(s string) (err error) { _, err = time.Parse(time.RFC3339, s); return err }
	want := "a time such as 2030-01-31T12:00:00Z"
	if t == reflect.TypeFor[metav1.Duration]() {
		parse = func(s string) (err error) { _, err = time.ParseDuration(s); return err }
		want = "a duration such as 4m0s"
	}
	if node.Kind != yaml.ScalarNode || parse(node.Value) != nil {
		return r.mistyped(node, path, want)
	}
	return node.Value
}

func (r *reader) mistyped(node *yaml.Node, path, want string) any {
	c := wrong(path, "must be %s, but is %s", want, kindOf(node))
	if want == "text" && node.Kind == yaml.ScalarNode {
		c = c.hint(`put it in quotes`)
	}
	r.complain(node, c)
	return nil
}

// kindOf says what a node is without saying its value, which may be secret.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.ShortTag() {
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}

// boolean knows the words of YAML 1.1 as well, as kubeadm does.
func boolean(node *yaml.Node) (value, ok bool) {
	if node.Kind != yaml.ScalarNode || node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		return false, false
	}
	switch strings.ToLower(node.Value) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}
