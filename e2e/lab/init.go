package lab

// Ignored are the preflight errors that say something about this machine, not about what is tested: its control groups
// may be v1, its memory small.
const Ignored = "--ignore-preflight-errors=SystemVerification,NumCPU,Mem,Swap"

// KubeadmInit are the arguments of kubeadm for a first master on a [Node].
func KubeadmInit(version string) []string {
	return []string{"init", "--kubernetes-version=" + version, Ignored}
}

// TripodInit are the arguments of tripod for the same.
func TripodInit(version string) []string {
	return []string{"init", "--kubernetes-version=" + version, Ignored}
}
