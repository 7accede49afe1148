package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tripod.dev/tripod/phases"
)

// confirmed shows what will be done and asks for a yes, unless force says it.
func (c *resetCommand) confirmed(cmd *cobra.Command, force bool, steps []phases.Step) error {
	if force {
		return nil
	}
	return confirm(cmd, c.show, steps, "This can not be undone. Go on?", "--force")
}

// nothing tells that there is nothing to do.
func (c *resetCommand) nothing(p progress) {
	const text = "Nothing to do: nothing is left here of init or join."
	if c.show.output == "json" {
		p.tell(phases.Event{Time: time.Now(), Kind: phases.Done, Phase: "cleanup-node", Text: text})
		return
	}
	fmt.Fprintln(c.show.to, text)
}

// farewell is what a person has to know of a machine that is reset: what stays.
func (c *resetCommand) farewell(p progress, m phases.Master, list []phases.Phase) {
	if len(phases.Only(list, "cleanup-node")) == 0 {
		return
	}
	if m.NodeStays() {
		p.tell(phases.Event{Time: time.Now(), Kind: phases.Warned, Phase: "cleanup-node",
			Text: "the cluster still has the object of this node; on a master: kubectl delete node " + m.Node.Registration.Name})
	}
	if c.show.output == "text" {
		fmt.Fprint(c.show.to, `
What init and join have made here is gone. Left as they are: the pod network's configuration in /etc/cni/net.d and
its interfaces, packet filter rules (iptables, nftables, IPVS), and kubeconfigs in home directories.
`)
	}
}
