package phases

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/templates"
)

// administrators wants the ClusterRoleBinding by which the group of admin.conf may do everything
// (kubeadm: cmd/kubeadm/app/phases/kubeconfig, EnsureAdminClusterRoleBinding). Without it only super-admin.conf is of use.
func administrators(m Master) ([]Change, error) {
	if m.Administrators {
		return nil, nil
	}
	object, err := parseObject(templates.ClusterAdmins())
	if err != nil {
		return nil, err
	}
	return []Change{{Verb: "apply", What: object.GetKind() + " " + object.GetName(), do: func(ctx context.Context, _ Site) error {
		return m.applyObject(ctx, object)
	}}}, nil
}

func parseObject(data []byte) (*unstructured.Unstructured, error) {
	var object unstructured.Unstructured
	if err := yaml.UnmarshalStrict(data, &object.Object); err != nil {
		return nil, fmt.Errorf("the template makes no object: %w", err)
	}
	return &object, nil
}

// applyObject makes the object what it should be, by server-side apply, whether or not it is there.
func (m Master) applyObject(ctx context.Context, object *unstructured.Unstructured) error {
	ctx, stop := context.WithTimeout(ctx, m.APICall)
	defer stop()
	resource, err := m.resource(object)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "tripod", Force: true})
	return err
}

// hasAdministrators says whether the cluster has what administrators want.
func (m Master) hasAdministrators(ctx context.Context) bool {
	if m.Running["kube-apiserver"].State != host.Started {
		return false
	}
	object, err := parseObject(templates.ClusterAdmins())
	return err == nil && m.hasObject(ctx, object)
}

// hasObject says whether the object is there; what can not be asked is not.
func (m Master) hasObject(ctx context.Context, object *unstructured.Unstructured) bool {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	resource, err := m.resource(object)
	if err != nil {
		return false
	}
	_, err = resource.Get(ctx, object.GetName(), metav1.GetOptions{})
	return err == nil
}

// resource is where objects of that kind are, at this master's own apiserver and as the one administrator whom no
// RBAC rule is needed for.
func (m Master) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(m.PKI.Kubeconfigs[superAdminConf])
	if err != nil {
		return nil, err
	}
	config.Host = serverURL(controllerManagerConf, m.Config)
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // it is this machine
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	if namespace := object.GetNamespace(); namespace != "" {
		return client.Resource(plural).Namespace(namespace), nil
	}
	return client.Resource(plural), nil
}
