package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// wire is the network's end of the node's cable, as node.sh names it.
func (n *Node) wire() string { return "wire" + strings.ReplaceAll(n.Addr.String(), ".", "") }

// Unplug takes the node off its network: what is sent is lost, both ways, and nobody is told.
func (n *Node) Unplug(ctx context.Context) error {
	return n.Network.ip(ctx, "link", "set", n.wire(), "nomaster")
}

// Plug puts it back.
func (n *Node) Plug(ctx context.Context) error {
	return n.Network.ip(ctx, "link", "set", n.wire(), "master", "bridge")
}

// removeWire takes the cable away. It would lie there until the kernel has cleared the node's namespace away, and the
// node's address would answer.
func (n *Node) removeWire() error {
	if n.Network == nil {
		return nil
	}
	const missing = "Cannot find device"
	err := n.Network.ip(context.Background(), "link", "delete", n.wire())
	if err != nil && strings.Contains(err.Error(), missing) {
		return nil
	}
	return err
}

// nowhere is a hardware address that nobody has.
const nowhere = "02:00:00:00:00:00"

// Part cuts the node off from some others: what they send each other is lost, both ways, and nobody is told. The
// network itself and all others still see them.
func (n *Node) Part(ctx context.Context, others ...*Node) error {
	return between(n, others, func(from, to *Node) error {
		_, err := from.Run(ctx, "ip", "neighbour", "replace", to.Addr.String(), "lladdr", nowhere, "nud", "permanent", "dev", "eth0")
		return err
	})
}

// Reunite takes Part back.
func (n *Node) Reunite(ctx context.Context, others ...*Node) error {
	return between(n, others, func(from, to *Node) error {
		_, err := from.Run(ctx, "ip", "neighbour", "flush", "to", to.Addr.String(), "nud", "permanent", "dev", "eth0")
		return err
	})
}

// between does something from the node to each other that runs, and back.
func between(n *Node, others []*Node, do func(from, to *Node) error) error {
	var errs []error
	for _, other := range others {
		for _, pair := range [][2]*Node{{n, other}, {other, n}} {
			if err := do(pair[0], pair[1]); err != nil {
				errs = append(errs, fmt.Errorf("between %s and %s: %w", pair[0].Name, pair[1].Name, err))
			}
		}
	}
	return errors.Join(errs...)
}
