package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tripod.dev/tripod/phases"
)

// showJoin is the phase whose work is done here, as nothing else prints.
const showJoin = "show-join-command"

// joinOffered is the event that tells the command by which a machine joins.
const joinOffered phases.Kind = "join"

// shown says whether that phase is one of those that have ended.
func shown(ended []phases.Event) bool {
	return slices.ContainsFunc(ended, func(e phases.Event) bool { return e.Phase == showJoin })
}

// up says whether a whole master was proved, and not one of its phases.
func up(ended []phases.Event) bool {
	return len(ended) > 1 && proved(ended, "wait-control-plane")
}

// proved says whether that phase has ended with its proof.
func proved(ended []phases.Event, phase string) bool {
	return slices.ContainsFunc(ended, func(e phases.Event) bool { return e.Kind == phases.Proved && e.Phase == phase })
}

// farewell is what a person has to know when a master is up: how to use it, what it lacks, and how others join.
func farewell(to io.Writer, program string, m phases.Master, ended []phases.Event) {
	if up(ended) {
		fmt.Fprintf(to, `
This master is up. To use it:
  export KUBECONFIG=%s/admin.conf
  kubectl get --raw='/readyz?verbose'

Pods have no network of their own until one is deployed:
  kubectl apply -f NETWORK.yaml    # one of https://kubernetes.io/docs/concepts/cluster-administration/addons/
`, m.Paths.Kubernetes)
	}
	worker, master := m.JoinCommand(program)
	if !shown(ended) {
		return
	}
	if worker == "" {
		fmt.Fprintf(to, "\nThere is no token of init to join by. To make one, and print the command:\n  %s token create --print-join-command\n", program)
		return
	}
	if m.Cluster.ControlPlaneEndpoint != "" {
		fmt.Fprintf(to, "\n%s:\n  %s\n", mastersJoin(program, m), indented(master))
	}
	fmt.Fprintf(to, "\nWorkers join by this, run as root:\n  %s\n", indented(worker))
}

// mastersJoin says by what further masters join, and what they have to have before.
func mastersJoin(program string, m phases.Master) string {
	if !m.UploadCerts {
		return "Masters join by this, run as root, once they have the certificate authorities and sa.key of " + m.Paths.PKI
	}
	return "The shared certificates are uploaded, sealed, for two hours (" + program + ` init phase upload-certs --upload-certs does it
again). Whoever has the certificate key can open them: keep it secret. Masters join by this, run as root`
}

func indented(command string) string { return strings.ReplaceAll(command, "\n\t", "\n    ") }

// joinEvents tells a program how workers join, and masters if they can, unless the secrets in that are not to be shown.
func joinEvents(p progress, program string, m phases.Master, ended []phases.Event) {
	worker, master := m.JoinCommand(program)
	if worker == "" || m.SkipTokenPrint || !shown(ended) {
		return
	}
	commands := []string{worker}
	if m.Cluster.ControlPlaneEndpoint != "" && m.UploadCerts && !m.SkipCertificateKeyPrint {
		commands = append(commands, master)
	}
	for _, c := range commands {
		p.tell(phases.Event{Time: time.Now(), Kind: joinOffered, Phase: showJoin, Text: strings.ReplaceAll(c, " \\\n\t", " ")})
	}
}
