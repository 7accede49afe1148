package cluster

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Object is a typed object, apiVersion and kind set, as the client takes it. A type that can not be JSON is a
// programming error, which shows as an object without content.
func Object(v any) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(v)
	if err != nil {
		return &unstructured.Unstructured{}
	}
	return &unstructured.Unstructured{Object: content}
}

// As is the object as its type.
func As[T any](o *unstructured.Unstructured) (T, error) {
	var typed T
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &typed)
	if err != nil {
		return typed, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return typed, nil
}

// Parse reads one object from YAML.
func Parse(data []byte) (*unstructured.Unstructured, error) {
	var o unstructured.Unstructured
	if err := yaml.UnmarshalStrict(data, &o.Object); err != nil {
		return nil, err
	}
	return &o, nil
}

// Secret names a Secret, for Get and Delete.
func Secret(namespace, name string) *unstructured.Unstructured {
	return named("v1", "Secret", namespace, name)
}

// ConfigMap names a ConfigMap, for Get and Delete.
func ConfigMap(namespace, name string) *unstructured.Unstructured {
	return named("v1", "ConfigMap", namespace, name)
}

// Node names a Node, for Get and Delete.
func Node(name string) *unstructured.Unstructured { return named("v1", "Node", "", name) }

// Deployment names a Deployment, for Get and Delete.
func Deployment(namespace, name string) *unstructured.Unstructured {
	return named("apps/v1", "Deployment", namespace, name)
}

// EndpointSlice names an EndpointSlice, for Get.
func EndpointSlice(namespace, name string) *unstructured.Unstructured {
	return named("discovery.k8s.io/v1", "EndpointSlice", namespace, name)
}

// IPAddress names what keeps an address for a Service, for Get and Delete.
func IPAddress(address string) *unstructured.Unstructured {
	return named("networking.k8s.io/v1", "IPAddress", "", address)
}

func named(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	var o unstructured.Unstructured
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return &o
}
