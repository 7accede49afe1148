package phases

import (
	"encoding/json"
	"fmt"
	"strings"

	"tripod.dev/tripod/internal/host"
)

// crash tells how a container ended, its last lines below.
func crash(component string, exit host.Exit) string {
	text := ending(component, exit)
	lines := exit.Log
	if len(lines) > 0 {
		text += ", its last lines:"
	}
	for _, line := range lines {
		text += "\n    " + legible(line)
	}
	return text
}

// ending is how a container ended, in a line.
func ending(component string, exit host.Exit) string {
	text := "container " + component
	if exit.ContainerID != "" {
		text += fmt.Sprintf(" (%.12s)", exit.ContainerID)
	}
	text += fmt.Sprintf(" ended with exit code %d", exit.Code)
	if exit.Reason != "" && exit.Reason != "Error" {
		text += " (" + exit.Reason + ")"
	}
	return text
}

// legible is a line of a log for people: of etcd's JSON what was said, without passwords, nothing that a terminal
// would take for a command.
func legible(line string) string {
	var said struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &said) == nil && said.Msg != "" {
		line = said.Level + ": " + said.Msg
		if said.Error != "" {
			line += ": " + said.Error
		}
	}
	return redacted(strings.Map(printable, line))
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < ' ' || r == 0x7f || (0x80 <= r && r < 0xa0):
		return -1
	}
	return r
}
