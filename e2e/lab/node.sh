#!/bin/bash
# The first process of a lab machine. It runs in fresh mount, network, PID, UTS and IPC namespaces and ends when its
# standard input does, that is when the program that started it is gone; the kernel then ends everything else in here.
#
# DIR      folder on a real disk for what the machine writes
# NAME     host name
# ADDRESS  the machine's own address
# TOOLS    folders with kubelet, kubeadm, kubectl, containerd, ctr
# NETWORK  network namespace with the bridge that the machine is plugged into; empty: into nothing
# KUBELET_LAB_FLAGS  flags that this machine (not the cluster) needs
set -euo pipefail

private_root() {
	mount --make-rprivate /
	mount -t proc proc /proc
	mount -t tmpfs -o mode=755 tmpfs /run
	for dir in etc opt var; do # as they are, and what is written stays here
		mkdir -p "$DIR/upper/$dir" "$DIR/work/$dir"
		mount -t overlay -o "lowerdir=/$dir,upperdir=$DIR/upper/$dir,workdir=$DIR/work/$dir" overlay "/$dir"
	done
	for dir in etc/kubernetes etc/cni opt/cni var/lib/kubelet var/lib/etcd var/lib/tripod var/lib/containerd var/log/pods var/log/containers; do
		mkdir -p "$DIR/disk/$dir" "/$dir"
		mount --bind "$DIR/disk/$dir" "/$dir"
	done
	mkdir -p /etc/cni/net.d /opt/cni/bin /var/run
	mountpoint -q /var/run || [ -L /var/run ] || mount --bind /run /var/run
	mount --make-rshared /
}

network() {
	hostname "$NAME"
	echo "$NAME" >/etc/hostname
	printf '127.0.0.1 localhost\n::1 localhost\n%s %s\n' "$ADDRESS" "$NAME" >/etc/hosts
	: >/etc/resolv.conf
	echo 1 >/proc/sys/net/ipv4/ip_forward
	ip link set lo up
	if [ -n "$NETWORK" ]; then
		wire=wire${ADDRESS//./} # unlike those of the others
		nsenter --net="$NETWORK" ip link delete "$wire" 2>/dev/null || true # that of an earlier life
		ip link add eth0 type veth peer name "$wire" netns "$NETWORK"
		nsenter --net="$NETWORK" ip link set "$wire" master bridge up
		exec 3<&-
	else
		ip link add eth0 type veth peer name wire # whose other end leads nowhere; not every kernel has dummy devices
		ip link set wire up
	fi
	# shellcheck disable=SC2086
	ip link set eth0 address "$(printf '02:00:%02x:%02x:%02x:%02x' ${ADDRESS//./ })" # as hardware, it keeps it
	ip address add "$ADDRESS/24" dev eth0
	ip link set eth0 up
	ip route add default dev eth0 src "$ADDRESS"
}

# keep_kubelet is the somebody else who starts the kubelet once its files are there, and again when it dies.
keep_kubelet() {
	mkfifo /run/never
	exec 9<>/run/never
	while :; do
		if [ -e /var/lib/kubelet/config.yaml ] && { [ -e /etc/kubernetes/kubelet.conf ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ]; }; then
			KUBELET_KUBEADM_ARGS=
			[ ! -e /var/lib/kubelet/kubeadm-flags.env ] || . /var/lib/kubelet/kubeadm-flags.env
			# shellcheck disable=SC2086
			kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
				--config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS $KUBELET_LAB_FLAGS >>/var/log/kubelet.log 2>&1 9<&- || true
		fi
		read -rt 0.02 -u 9 || true # sleeps without a process
	done
}

private_root
network
export PATH="$TOOLS:$PATH"
containerd --config "$DIR/containerd.toml" >/var/log/containerd.log 2>&1 </dev/null &
echo $! >/run/containerd.pid
[ -z "$KUBELET_LAB_FLAGS" ] || keep_kubelet </dev/null >/dev/null 2>&1 &
until [ -S /run/containerd/containerd.sock ] && ctr version >/dev/null 2>&1; do
	kill -0 %1 2>/dev/null || { tail -n 5 /var/log/containerd.log >&2; exit 1; }
	sleep 0.05
done
echo ready
cat >/dev/null
