package phases

import (
	"fmt"
	"regexp"
	"strconv"

	"tripod.dev/tripod/internal/host"
)

// A cause is an end of a container that its last lines explain.
type cause struct {
	// line is what the log says; its first group, if there is one, is put into the hint.
	line *regexp.Regexp
	hint string
	// final says that starting the same container again would end the same way.
	final bool
}

// causes are the ends that operators meet, with what to do. The first that matches counts.
func causes() []cause {
	return []cause{
		{regexp.MustCompile(`listen tcp \S*?:(\d+): bind: address already in use`), "stop what holds port %s, or give the component another one", true},
		{regexp.MustCompile(`(?:unknown flag: |flag provided but not defined: )(\S+)`), "this version does not know %s: take it out of extraArgs or of the patch", true},
		{regexp.MustCompile(`(invalid argument .*)`), "%s: correct it in extraArgs or in the patch", true},
		{regexp.MustCompile(`(couldn't find local name .*|member .* has already been bootstrapped|discovery .* conflicts?)`), "the data directory is another member's (%s): look at it, move it away if nobody needs it", true},
		{regexp.MustCompile(`bind: cannot assign requested address`), "the advertise address is not an address of this machine", true},
		{regexp.MustCompile(`no space left on device`), "make room on the disk, then run the same command again", true},
		{regexp.MustCompile(`(permission denied)`), "%s: look at owner and mode of the file that the line names", true},
		{regexp.MustCompile(`(x509: .*)`), "%s: certificates and clock have to agree", false},
		{regexp.MustCompile(`error creating storage factory: context deadline exceeded`), "the apiserver did not reach its etcd", false},
	}
}

// diagnose finds the cause of an end in the container's last lines.
func diagnose(m Master, exit host.Exit) (hint string, final bool) {
	for _, c := range causes() {
		for _, line := range exit.Log {
			if found := c.line.FindStringSubmatch(line); found != nil {
				return fill(c.hint, found) + holder(m, found), c.final
			}
		}
	}
	return "", false
}

func fill(hint string, found []string) string {
	if len(found) == 1 {
		return hint
	}
	return fmt.Sprintf(hint, found[1])
}

// holder names who holds the port that a component wanted, if that was known when the facts were read.
func holder(m Master, found []string) string {
	if len(found) < 2 {
		return ""
	}
	port, err := strconv.ParseUint(found[1], 10, 16)
	if err != nil {
		return ""
	}
	for _, l := range m.Survey.Listeners[uint16(port)] {
		return fmt.Sprintf(" (when it was looked at, %s held it)", l)
	}
	return ""
}
