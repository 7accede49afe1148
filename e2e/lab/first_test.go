package lab

import (
	"testing"
	"time"
	"context"
)

func TestKubeadmInit(t *testing.T) {
	l, err := Find()
	if err != nil { t.Fatal(err) }
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	t0 := time.Now()
	n, err := l.Start(ctx, Machine{})
	if err != nil { t.Fatal(err) }
	defer func() { t0 := time.Now(); err := n.Close(); t.Log("close", time.Since(t0), err) }()
	t.Log("node up", time.Since(t0))
	out, err := n.Run(ctx, "ctr", "-n", "k8s.io", "images", "ls", "-q")
	t.Log(out, err)
	t0 = time.Now()
	cmd := n.Command(ctx, "kubeadm", "init", "--kubernetes-version", n.Version, "--skip-phases=addon", "--ignore-preflight-errors=SystemVerification,FileExisting-losetup,Mem,NumCPU")
	b, err := cmd.CombinedOutput()
	t.Log("init", time.Since(t0), err, cmd.ProcessState)
	t.Log(string(b))
	if err != nil {
		out, err := n.Run(ctx, "sh", "-c", "tail -n 30 /var/log/kubelet.log; tail -n 10 /var/log/containerd.log; ps aux; ls -R /var/log/pods; tail -n 5 /var/log/pods/*/*/*")
		t.Log(out, err)
		return
	}
	o, err := n.Kubectl(ctx, "get", "nodes,pods", "-A")
	t.Log(o, err)
}
