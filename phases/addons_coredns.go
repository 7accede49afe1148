package phases

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/templates"
)

// coreDNSReplicas is how many pods answer for cluster DNS, as long as nobody has scaled them.
const coreDNSReplicas int64 = 2

// coreDNSValues are what templates/coredns.yaml places.
type coreDNSValues struct {
	Image, Domain string
	// ClusterIP is the one that all kubelets tell their pods. kubeadm gives the Service one family only, too.
	ClusterIP string
	Replicas  int64
}

// coreDNSObjects wants cluster DNS (kubeadm: cmd/kubeadm/app/phases/addons/dns).
func coreDNSObjects(m Master) ([]*unstructured.Unstructured, error) {
	if m.Cluster.DNS.Disabled {
		return nil, nil
	}
	objects, err := fillObjects(templates.CoreDNS(), coreDNSValues{
		Image: m.Image("coredns"), Domain: m.Cluster.Networking.DNSDomain, ClusterIP: clusterDNS(m.Services), Replicas: m.dnsReplicas(),
	})
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		switch o.GetKind() {
		case "ConfigMap":
			m.keepCorefile(o)
		case "Deployment":
			if err := patchDeployment(o, m.Patches); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}

// coreDNS names the Deployment.
func coreDNS() *unstructured.Unstructured {
	return cluster.Deployment("kube-system", "coredns")
}

// dnsReplicas are as many as there are: who has scaled cluster DNS had a reason.
func (m Master) dnsReplicas() int64 {
	live, exists := m.Objects.Get(coreDNS()).Value()
	if !exists {
		return coreDNSReplicas
	}
	replicas, found, err := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if err != nil || !found {
		return coreDNSReplicas
	}
	return replicas
}

// keepCorefile puts the cluster's own Corefile in the place of ours. Whatever differs was written by its operator:
// stub domains, upstream servers, hosts.
func (m Master) keepCorefile(o *unstructured.Unstructured) {
	live, exists := m.Objects.Get(o).Value()
	if exists && corefile(live) != "" {
		o.Object["data"] = map[string]any{"Corefile": corefile(live)}
	}
}

// put applies an object. An operator's Corefile stays also where it could not be read when the plan was made.
func put(ctx context.Context, client *cluster.Client, o *unstructured.Unstructured) error {
	if objectKey(o) == "ConfigMap kube-system/coredns" {
		live, err := client.Get(ctx, o)
		switch {
		case err == nil && corefile(live) != "" && corefile(live) != corefile(o):
			return nil
		case err != nil && !apierrors.IsNotFound(err):
			return err
		}
	}
	_, err := client.Apply(ctx, o)
	if apierrors.IsInvalid(err) && o.GetKind() == "Service" {
		return release(ctx, client, o, err)
	}
	return err
}

// release gives the address of a Service back that is kept for it while there is no such Service: an apiserver whose
// request to make it was cut off, as tripod was killed, keeps it for a minute. Any other refusal stays what it is.
func release(ctx context.Context, client *cluster.Client, o *unstructured.Unstructured, refusal error) error {
	address, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
	kept, err := client.Get(ctx, cluster.IPAddress(address))
	if err != nil {
		return refusal
	}
	owner, _, _ := unstructured.NestedStringMap(kept.Object, "spec", "parentRef")
	if owner["resource"] != "services" || owner["namespace"] != o.GetNamespace() || owner["name"] != o.GetName() {
		return refusal
	}
	if _, err := client.Get(ctx, o); !apierrors.IsNotFound(err) {
		return refusal
	}
	if err := client.Delete(ctx, kept); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return cluster.Soon{Err: refusal}
}

// corefile is the one in a ConfigMap; "" if there is none.
func corefile(o *unstructured.Unstructured) string {
	text, _, err := unstructured.NestedString(o.Object, "data", "Corefile")
	if err != nil {
		return ""
	}
	return text
}

// patchDeployment applies the user's patches for the target corednsdeployment.
func patchDeployment(o *unstructured.Unstructured, files []manifests.PatchFile) error {
	files = manifests.PatchesFor("corednsdeployment", files)
	if len(files) == 0 {
		return nil
	}
	key := objectKey(o)
	data, err := o.MarshalJSON()
	for _, f := range files {
		if err == nil {
			data, err = f.Apply(data, appsv1.Deployment{})
		}
	}
	if err == nil {
		err = o.UnmarshalJSON(data)
	}
	if err == nil && objectKey(o) != key {
		err = fmt.Errorf("the patches make %s of it: kind, name and namespace must stay", objectKey(o))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
