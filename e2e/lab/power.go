package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// PowerOff ends everything that runs on the machine at once, as a power failure does. Its disk stays: /etc, /var and
// /opt are there when it is powered on again. What was written and not yet synced is there too, as this kernel lives on.
// A machine that is off stays off.
func (n *Node) PowerOff() error {
	if n.life != nil {
		n.life.Close()
		n.life = nil
	}
	if n.pid == 0 {
		return nil // another machine may have its place in the network
	}
	_ = n.init.Process.Kill() // the first process takes the whole PID namespace, its mounts and network along
	_ = n.init.Wait()
	n.pid = 0
	return n.removeWire()
}

// PowerOn starts the machine again with the disk that it had, plugged into its network, and returns once its
// containerd answers. Its kubelet starts by itself.
func (n *Node) PowerOn(ctx context.Context) error {
	if n.pid != 0 {
		return fmt.Errorf("power on node %s: it runs", n.Name)
	}
	if err := removeControlGroup(n.controlGroup()); err != nil {
		return err
	}
	if err := makeControlGroup(n.controlGroup()); err != nil {
		return err
	}
	if err := n.boot(ctx); err != nil {
		return fmt.Errorf("power on node %s: %w", n.Name, err)
	}
	return nil
}

// LoseDisk removes all that is in a folder of a machine that is off: /var/lib/etcd, or another that has a disk of its own.
func (n *Node) LoseDisk(inside string) error {
	dir := filepath.Join(n.dir.path, "disk", inside)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("lose a disk of node %s: %w", n.Name, err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
