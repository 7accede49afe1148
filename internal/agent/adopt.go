package agent

import corev1 "k8s.io/api/core/v1"

// containers picks the first process of each pod's container among the marked, by pod: the oldest leader of a session. What else
// there is are its children, which end with it, or what was left of a container that has ended: that is killed.
func containers(found []marked) map[string]marked {
	first := map[string]marked{}
	for _, m := range found {
		if !m.leader || m.Probe {
			continue
		}
		if known, ok := first[m.Pod]; !ok || m.start < known.start {
			first[m.Pod] = m
		}
	}
	swept := map[string]bool{}
	for _, m := range found {
		kept, alive := first[m.Pod]
		if alive && kept.pid == m.pid {
			continue
		}
		m.close()
		if !alive && !swept[m.Pod] {
			sweep(m.Manifests, m.Pod)
			swept[m.Pod] = true
		}
	}
	return first
}

// stranger is the pod of a process whose manifest has changed or gone: all that is still to be done
// with it is to end it.
func stranger(m marked) pod {
	p := pod{Hash: m.Hash, Container: m.Container, Revision: m.Revision, Grace: m.Grace, Restart: corev1.RestartPolicyNever}
	p.Namespace, p.Name = splitKey(m.Pod)
	return p
}
