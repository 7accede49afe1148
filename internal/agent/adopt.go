package agent

import (
	"os"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// containers picks the first process of each pod's container among the marked, by pod. What else there is
// are its children, which end with it, or what was left of a container that has ended: that is killed.
func containers(found []marked) map[string]marked {
	first := map[string]marked{}
	for _, m := range found {
		if !m.mayBeFirst() {
			continue
		}
		if known, ok := first[m.Pod]; !ok || m.start < known.start {
			first[m.Pod] = m
		}
	}
	for _, m := range found {
		kept, alive := first[m.Pod]
		switch {
		case !alive:
			m.kill()
		case kept.pid != m.pid:
			m.close()
		}
	}
	return first
}

// mayBeFirst is true for the leader of a session, unless it is a child that has made its own: then the record names another
// process. Without a record (the agent was killed before it could write it) the oldest leader is taken.
func (m marked) mayBeFirst() bool {
	if !m.leader || m.Probe {
		return false
	}
	recorded, err := os.ReadFile(pidFile(m.Log))
	return err != nil || string(recorded) == strconv.Itoa(m.pid)
}

// record notes the first process of a container beside its log.
func (p *process) record() error {
	return os.WriteFile(pidFile(p.mark.Log), []byte(strconv.Itoa(p.pid)), 0o600)
}

func pidFile(log string) string { return strings.TrimSuffix(log, ".log") + ".pid" }

// stranger is the pod of a process whose manifest has changed or gone: all that is still to be done
// with it is to end it.
func stranger(m marked) pod {
	p := pod{Hash: m.Hash, Container: m.Container, Revision: m.Revision, Grace: m.Grace, Restart: corev1.RestartPolicyNever}
	p.Namespace, p.Name = splitKey(m.Pod)
	return p
}
