#!/bin/bash
# Builds real components from their Go modules: `build.sh kubernetes VERSION` (with the etcd of that release),
# `build.sh containerd`, or `build.sh kind` (all that clusters made by kind take beside those, and kubeadm's own tests).
# The binaries come to bin/components, and a file .built beside them once all are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../bin/components
export CGO_ENABLED=0

# jobs is how many packages to compile at once: linking an apiserver takes 2 GB.
jobs() {
	local processors memory
	processors=$(nproc)
	memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
	echo $((memory < 1 ? 1 : memory < processors ? memory : processors))
}

# build FOLDER OUT [flags]: all tools of the module in FOLDER.
build() {
	local module=$1 to=$2
	shift 2
	mkdir -p "$to"
	echo "building ${module#"$here"/} (minutes when the build cache is cold)"
	(cd "$module" && ${GO:-go} build -p "$(jobs)" -trimpath "$@" -o "$to/" tool)
}

# suite VERSION: kubeadm's own end-to-end tests, as one program.
suite() {
	mkdir -p "$out/$1"
	echo "building kubeadm's tests $1"
	(cd "$here/$1/kubernetes" && ${GO:-go} test -p "$(jobs)" -trimpath -ldflags "-s -w" -c -o "$out/$1/e2e_kubeadm.test" k8s.io/kubernetes/test/e2e_kubeadm)
}

case ${1-} in
kubernetes)
	version=$2
	build "$here/$version/etcd" "$out/$version" -ldflags "-s -w"
	mv "$out/$version/server" "$out/$version/etcd" # etcd's main package is the module server/v3 itself
	# Without its version a component takes itself for v0.0.0-master, and version skew checks go wrong.
	build "$here/$version/kubernetes" "$out/$version" -ldflags \
		"-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/client-go/pkg/version.gitVersion=$version"
	touch "$out/$version/.built"
	;;
containerd)
	build "$here/containerd" "$out/containerd" -tags no_btrfs -ldflags "-s -w"
	touch "$out/containerd/.built"
	;;
kind)
	for version in v0.30.0 v0.33.0; do
		build "$here/kind/$version" "$out/kind/$version" -ldflags "-s -w"
	done
	build "$here/crictl" "$out/crictl" -ldflags "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=v1.36.0"
	build "$here/coredns" "$out/coredns" -ldflags "-s -w"
	suite v1.36.3
	touch "$out/kind/.built"
	;;
*)
	echo "usage: build.sh kubernetes VERSION | containerd | kind" >&2
	exit 2
	;;
esac
