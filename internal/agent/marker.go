package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// markerName is the environment variable by which an agent finds the processes of an earlier one.
const markerName = "TRIPOD_POD"

// marker says in a process's environment, and in that of all that it starts, what it is.
type marker struct {
	Manifests string        `json:"manifests"`
	Pod       string        `json:"pod"` // namespace/name
	Container string        `json:"container"`
	Hash      string        `json:"hash,omitempty"`
	Revision  string        `json:"revision,omitempty"`
	Restarts  int           `json:"restarts"`
	Started   time.Time     `json:"started,omitzero"`
	Grace     time.Duration `json:"grace,omitempty"`
	Log       string        `json:"log,omitempty"`
	// Probe marks an exec probe, which is never taken for the container.
	Probe bool `json:"probe,omitempty"`
}

// String is the variable as it stands in an environment.
func (m marker) String() string {
	// Strings, numbers and a time of this century always encode.
	data, _ := json.Marshal(m)
	return markerName + "=" + string(data)
}

// findMarker reads the marker out of an environment.
func findMarker(environ []byte) (marker, bool) {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if value, found := bytes.CutPrefix(variable, []byte(markerName+"=")); found {
			var m marker
			return m, json.Unmarshal(value, &m) == nil
		}
	}
	return marker{}, false
}

// marked is a living process with a marker.
type marked struct {
	*handle
	marker
	leader bool   // of its session, as every container's first process is
	start  uint64 // in clock ticks since boot
}

// scan finds the marked processes of a manifest directory.
func scan(manifests string) ([]marked, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	var found []marked
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if m, ok := inspect(pid, manifests); ok {
			found = append(found, m)
		}
	}
	return found, nil
}

// inspect looks for the marker first, because only few processes are worth a handle. The handle is opened before
// the process is read again: whatever is read while it still lives is its own and not of a later process with the same id.
func inspect(pid int, manifests string) (marked, bool) {
	if m, ok := readMarker(pid); !ok || m.Manifests != manifests {
		return marked{}, false
	}
	h, err := open(pid)
	if err != nil {
		return marked{}, false
	}
	m, ok := readMarker(pid)
	start, session := readStat(pid)
	if !ok || m.Manifests != manifests || !own(pid) || h.gone() {
		h.close()
		return marked{}, false
	}
	return marked{handle: h, marker: m, leader: session == pid, start: start}, true
}

// own says whether a process is of the agent's own user, in every respect, as all that it starts is: to root's agent, the
// marker of another user's process may be forged.
func own(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	id := strconv.Itoa(os.Getuid())
	for line := range strings.Lines(string(data)) {
		if ids, found := strings.CutPrefix(line, "Uid:"); found { // real, effective, saved, of files
			return slices.Equal(strings.Fields(ids), []string{id, id, id, id})
		}
	}
	return false
}

// readMarker fails for processes of other users unless this one is root's, for zombies and for most others.
func readMarker(pid int) (marker, bool) {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return marker{}, false
	}
	return findMarker(environ)
}

// readStat reads start time and session (fields 22 and 6 of proc_pid_stat(5), counted behind the name, which may hold spaces).
func readStat(pid int) (start uint64, session int) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return 0, 0
	}
	session, _ = strconv.Atoi(fields[3])
	start, _ = strconv.ParseUint(fields[19], 10, 64)
	return start, session
}

// sweep kills what a container left behind when its first process, which had the mark, has ended, and waits until it is gone. Its exec
// probes are among it.
func sweep(mark marker) {
	found, err := scan(mark.Manifests)
	if err != nil {
		return
	}
	for _, m := range found {
		if m.Pod == mark.Pod && (m.Probe || m.Hash == mark.Hash && m.Restarts == mark.Restarts) {
			m.kill()
		} else {
			m.close()
		}
	}
}

// kill ends the process and the handle.
func (m marked) kill() {
	_ = m.signal(unix.SIGKILL)
	m.wait()
	m.close()
}
