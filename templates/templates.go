// Package templates holds the manifests of the four components as text/templates, and objects of the cluster. Each reads as
// the YAML that it becomes: flags are in the order of their names, a value is placed between
// double quotes, or bare where it is a number, and what is more than an if or a range is computed
// by the component's file in phases. The package knows no values and renders nothing.
package templates

import _ "embed" // the templates are files

//go:embed common.yaml
var common string

//go:embed etcd.yaml
var etcd string

//go:embed kube-apiserver.yaml
var apiserver string

//go:embed kube-controller-manager.yaml
var controllerManager string

//go:embed kube-scheduler.yaml
var scheduler string

// Etcd is the template of etcd.yaml, with the definitions that it shares with the others.
func Etcd() string { return common + etcd }

// APIServer is the template of kube-apiserver.yaml.
func APIServer() string { return common + apiserver }

// ControllerManager is the template of kube-controller-manager.yaml.
func ControllerManager() string { return common + controllerManager }

// Scheduler is the template of kube-scheduler.yaml.
func Scheduler() string { return common + scheduler }

//go:embed cluster-admins.yaml
var clusterAdmins []byte

// ClusterAdmins is the ClusterRoleBinding that makes the group of admin.conf what its name says. It has no values.
func ClusterAdmins() []byte { return clusterAdmins }
