package phases

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tripod.dev/tripod/internal/host"
)

// A cause is an end of a container that one of its last lines explains.
type cause struct {
	// line is what the log says; its first group, if there is one, is put into the hint.
	line string
	hint string
	// final says that starting the same container again would end the same way.
	final bool
}

// causes are the ends that operators meet, with what to do. The first that matches a line counts.
func causes() []cause {
	return []cause{
		{`listen tcp (\S*:\d+): bind: address already in use`, "stop what listens at %s, or give the component another port", true},
		{`listen tcp (\S*):\d+: bind: cannot assign requested address`, "%s is not an address of this machine", true},
		{`(?:unknown flag: |flag provided but not defined: )(\S+)`, "this version does not know %s: take it out of extraArgs or of the patch", true},
		{`(unrecognized feature gate: \w+)`, "%s: take it out of extraArgs or of the patch", true},
		{`(invalid argument .* for .* flag|invalid value .* for flag [^\s:]+)`, "%s: correct it in extraArgs or in the patch", true},
		{`failed to verify flags: (.*)`, "%s: correct it in extraArgs or in the patch", true},
		{`(couldn't find local name .*|member \S+ has already been bootstrapped)`, "the data directory is another member's (%s): look at it, move it away if nobody needs it", true},
		{`(invalid database|both meta pages are invalid)`, "etcd's data is damaged (%s): restore a snapshot, or move the data directory away if nobody needs it", true},
		{`(\S+): not a directory`, "%s is in the place of a directory: move it away", true},
		{`no space left on device`, "make room on the disk, then run the same command again", true},
		{`(\S+: permission denied)`, "%s: look at owner and mode", true},
		{`(?:open|stat) (\S+): no such file or directory`, "the component finds no %s: correct the flag, or mount it by extraVolumes", true},
		{`(x509: .*)`, "%s: certificates and clock have to agree", false},
		{`error creating storage factory: context deadline exceeded`, "the apiserver did not reach its etcd", false},
		{`^OOMKilled$`, "there was no memory left for it: give the machine more, or stop what else runs there", false},
	}
}

// diagnosis is what is known of an end.
type diagnosis struct {
	line, hint string
	final      bool
}

// diagnose finds the cause of an end in the container's last lines, the last of them first: what a component
// complained about earlier it has survived. Without a known cause the line is the last one.
func diagnose(h *host.Host, exit host.Exit) diagnosis {
	lines := slices.DeleteFunc(slices.Concat([]string{exit.Reason}, exit.Log), func(line string) bool { return strings.TrimSpace(line) == "" })
	for _, line := range slices.Backward(lines) {
		line = legible(line)
		for _, c := range causes() {
			if found := regexp.MustCompile(c.line).FindStringSubmatch(line); found != nil {
				return diagnosis{line: line, hint: c.fill(found) + holder(h, found), final: c.final}
			}
		}
	}
	if len(exit.Log) == 0 || len(lines) == 0 {
		return diagnosis{}
	}
	return diagnosis{line: legible(lines[len(lines)-1])}
}

func (c cause) fill(found []string) string {
	if len(found) == 1 {
		return c.hint
	}
	return fmt.Sprintf(c.hint, strings.Trim(found[1], `\"`))
}

// holder names who is at the address that a component wanted.
func holder(h *host.Host, found []string) string {
	if len(found) < 2 {
		return ""
	}
	address := found[1]
	if strings.HasPrefix(address, ":") {
		address = "[::]" + address
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return ""
	}
	for _, l := range h.Holders(at) {
		return fmt.Sprintf(" (%s holds it)", l)
	}
	return ""
}
