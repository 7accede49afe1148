package lab

// ignored are the preflight errors that say something about this machine, not about what is tested: its control groups
// may be v1, its memory small.
const ignored = "--ignore-preflight-errors=SystemVerification,NumCPU,Mem,Swap"

// KubeadmInit are the arguments of kubeadm for a first master on a [Node] of the default version. There are no images
// of the addons.
func KubeadmInit() []string {
	return []string{"init", "--kubernetes-version=" + Default, "--skip-phases=addon", ignored}
}

// TripodInit are the arguments of tripod for the same.
func TripodInit() []string {
	return []string{"init", "--kubernetes-version=" + Default, ignored}
}
