#!/bin/bash
# Builds real components from their Go modules: `build.sh kubernetes VERSION` (with the etcd of that release), or
# `build.sh containerd`. The binaries come to bin/components, and a file .built beside them once all are there.
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
*)
	echo "usage: build.sh kubernetes VERSION | containerd" >&2
	exit 2
	;;
esac
