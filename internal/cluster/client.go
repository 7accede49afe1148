// Package cluster is a client of a cluster's API. It knows how objects are read, applied and insisted on, and
// nothing of what they are for. Objects are unstructured: the typed clients of client-go would double tripod's size
// and the time that it takes to start.
package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is who the fields that tripod applies belong to.
const manager = "tripod"

// Client talks to one apiserver as one user, over one connection.
type Client struct {
	dynamic dynamic.Interface
	http    *http.Client
	server  string
}

// FromKubeconfig is the current context of a kubeconfig. A server other than "" takes the place of the kubeconfig's
// and is asked directly: it is this machine's own.
func FromKubeconfig(kubeconfig []byte, server string) (*Client, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if server != "" {
		config.Host = server
		config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	return newClient(config)
}

func newClient(config *rest.Config) (*Client, error) {
	config.QPS = -1 // the apiserver's own priorities are limit enough
	config.UserAgent = manager
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return eager{next} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	objects, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return &Client{dynamic: objects, http: client, server: config.Host}, nil
}

// Server is the URL of the apiserver.
func (c *Client) Server() string { return c.server }

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get reads the object of that kind, namespace and name.
func (c *Client) Get(ctx context.Context, like *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.at(like).Get(ctx, like.GetName(), metav1.GetOptions{})
}

// Apply makes the object what it should be, by server-side apply, whether or not it is there.
func (c *Client) Apply(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.at(o).Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true})
}

// Create makes a new object.
func (c *Client) Create(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.at(o).Create(ctx, o, metav1.CreateOptions{FieldManager: manager})
}

// Update replaces an object that was read before; it fails with a conflict where somebody else has changed it since.
func (c *Client) Update(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.at(o).Update(ctx, o, metav1.UpdateOptions{FieldManager: manager})
}

// Delete removes the object of that kind, namespace and name.
func (c *Client) Delete(ctx context.Context, like *unstructured.Unstructured) error {
	return c.at(like).Delete(ctx, like.GetName(), metav1.DeleteOptions{})
}

// List reads the objects of a kind in a namespace ("" for all), those that the field selector ("" for all) means.
func (c *Client) List(ctx context.Context, kind schema.GroupVersionKind, namespace, fields string) ([]unstructured.Unstructured, error) {
	return c.list(ctx, kind, namespace, metav1.ListOptions{FieldSelector: fields})
}

// ListLabelled reads the objects of a kind in a namespace that have the labels (a selector).
func (c *Client) ListLabelled(ctx context.Context, kind schema.GroupVersionKind, namespace, labels string) ([]unstructured.Unstructured, error) {
	return c.list(ctx, kind, namespace, metav1.ListOptions{LabelSelector: labels})
}

func (c *Client) list(ctx context.Context, kind schema.GroupVersionKind, namespace string, o metav1.ListOptions) ([]unstructured.Unstructured, error) {
	var like unstructured.Unstructured
	like.SetGroupVersionKind(kind)
	like.SetNamespace(namespace)
	list, err := c.at(&like).List(ctx, o)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// at is where objects of that kind and namespace are.
func (c *Client) at(like *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(like.GroupVersionKind())
	if namespace := like.GetNamespace(); namespace != "" {
		return c.dynamic.Resource(plural).Namespace(namespace)
	}
	return c.dynamic.Resource(plural)
}
