package phases

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/manifests"
)

// objectKey names an object: Kind namespace/name, or Kind name.
func objectKey(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

// parseObjects reads the documents of a template.
func parseObjects(data []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		o, err := cluster.Parse(document)
		if err != nil {
			return nil, fmt.Errorf("the template makes no object: %w", err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// onNodes are objects that make pods: none in a sandbox, which has no node to run them.
func onNodes(objects func(Master) ([]*unstructured.Unstructured, error)) func(Master) ([]*unstructured.Unstructured, error) {
	return func(m Master) ([]*unstructured.Unstructured, error) {
		if m.Rootless {
			return nil, nil
		}
		return objects(m)
	}
}

// want are the changes that make the objects what they should be. One that already contains all that is wanted
// is left alone, whatever else it holds.
func (m Master) want(objects ...*unstructured.Unstructured) []Change {
	var changes []Change
	for _, o := range objects {
		o = canonical(o)
		seen := m.Objects.Get(o)
		if err := seen.Err(); err != nil {
			changes = append(changes, pending(objectKey(o), err))
			continue
		}
		live, exists := seen.Value()
		c := Change{Verb: "create", What: objectKey(o), online: true, do: applying(m, o)}
		var old []byte
		if exists {
			now := &unstructured.Unstructured{Object: projectedMap(canonical(live).Object, o.Object)}
			if reflect.DeepEqual(now.Object, o.Object) || m.isUp() {
				continue
			}
			if err := m.mayBeUp(); err != nil {
				changes = append(changes, pending("a cluster that is up, whose "+c.What+" is not to be replaced", err))
				continue
			}
			c.Verb, old = "replace", document(presentable(now).Object)
		}
		c.Diff = redacted(manifests.Diff(c.What, old, document(presentable(o).Object), m.contextLines()))
		changes = append(changes, c)
	}
	return changes
}

// applying applies the object, and insists.
func applying(m Master, o *unstructured.Unstructured) func(context.Context, Site) error {
	return func(ctx context.Context, s Site) error {
		ctx, stop := context.WithTimeout(ctx, m.APICall)
		defer stop()
		client, err := s.api()
		if err != nil {
			return err
		}
		return cluster.Insist(ctx, s.tell, func(ctx context.Context) error {
			return put(ctx, client, o)
		})
	}
}

// canonical is the object with values of the types that an apiserver's answer decodes to, and a Secret's in data.
func canonical(o *unstructured.Unstructured) *unstructured.Unstructured {
	var same unstructured.Unstructured
	data, err := o.MarshalJSON()
	if err != nil || same.UnmarshalJSON(data) != nil {
		return o // what is no JSON the apiserver will refuse, with a better reason
	}
	text, found, err := unstructured.NestedStringMap(same.Object, "stringData")
	if !found || err != nil || same.GetKind() != "Secret" {
		return &same
	}
	values, _, _ := unstructured.NestedMap(same.Object, "data")
	all := map[string]any{}
	maps.Copy(all, values)
	for key, value := range text {
		all[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	same.Object["data"] = all
	delete(same.Object, "stringData")
	return &same
}

// presentable is the object for people's eyes: of a Secret's values no more than a digest.
func presentable(o *unstructured.Unstructured) *unstructured.Unstructured {
	values, found, _ := unstructured.NestedMap(o.Object, "data")
	if !found || o.GetKind() != "Secret" {
		return o
	}
	shown := o.DeepCopy()
	for key, value := range values {
		values[key] = fmt.Sprintf("sha256:%.6x", sha256.Sum256(fmt.Append(nil, value)))
	}
	shown.Object["data"] = values
	return shown
}

// projected is live reduced to what wanted speaks of, so that the two are equal where nothing has to change. Where an
// apiserver leaves out what is empty, nothing has to change either.
func projected(live, wanted any) any {
	switch wanted := wanted.(type) {
	case map[string]any:
		if all, is := live.(map[string]any); is {
			return projectedMap(all, wanted)
		}
	case []any:
		if all, is := live.([]any); is && len(all) == len(wanted) {
			return projectedList(all, wanted)
		}
	}
	return live
}

func projectedMap(all, wanted map[string]any) map[string]any {
	part := map[string]any{}
	for key, w := range wanted {
		l, exists := all[key]
		switch {
		case w == nil: // nothing is said of it
			part[key] = nil
		case exists:
			part[key] = projected(l, w)
		case isEmpty(w):
			part[key] = w
		}
	}
	return part
}

func projectedList(all, wanted []any) []any {
	part := make([]any, len(all))
	for i := range all {
		part[i] = projected(all[i], wanted[i])
	}
	return part
}

// isEmpty says that an apiserver may leave the value out. An empty text is not: a label can be one.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case bool:
		return !v
	}
	return false
}

// document is a value as YAML.
func document(v any) []byte {
	data, err := yaml.Marshal(v)
	if err != nil {
		return nil // what came from JSON can be written
	}
	return data
}
