package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldsOf are the JSON names of a struct's fields, those of its inline fields among them.
func (r *reader) fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "":
			maps.Copy(fields, r.fieldsOf(field.Type))
		case !r.old || field.Tag.Get("since") == "":
			fields[name] = field.Type
		}
	}
	if r.old {
		maps.Copy(fields, gone(t))
	}
	return fields
}

// gone are the fields that only v1beta3 has.
func gone(t reflect.Type) map[string]reflect.Type {
	switch t {
	case reflect.TypeFor[APIServer]():
		return map[string]reflect.Type{"timeoutForControlPlane": reflect.TypeFor[metav1.Duration]()}
	case reflect.TypeFor[Discovery]():
		return map[string]reflect.Type{"timeout": reflect.TypeFor[metav1.Duration]()}
	}
	return nil
}

// advice is where an unknown field may belong, or how it may be spelled; mostly it is empty.
func (r *reader) advice(name string, t reflect.Type, known map[string]reflect.Type) string {
	if now := (&reader{}).fieldsOf(t); r.old && now[name] != nil {
		return fmt.Sprintf("it is a field of %s: tripod config migrate writes that", groupNow)
	}
	if near := Nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if _, outer := known["apiVersion"]; !outer {
		return ""
	}
	for _, other := range []reflect.Type{reflect.TypeFor[InitConfiguration](), reflect.TypeFor[ClusterConfiguration](), reflect.TypeFor[JoinConfiguration]()} {
		if _, ok := r.fieldsOf(other)[name]; ok && other != t {
			return fmt.Sprintf("it is a field of %s", other.Name())
		}
	}
	return ""
}
