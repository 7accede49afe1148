// Package suite has kubeadm's own tests among the module's dependencies: no program needs them.
package suite

import _ "k8s.io/kubernetes/test/e2e_kubeadm"
