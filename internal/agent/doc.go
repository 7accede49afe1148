// Package agent is the embedded static pod agent: what the kubelet does with a manifest directory, with
// plain processes of the host instead of containers. A sandbox without root runs its masters by it.
//
// It follows the kubelet where a manifest can tell the difference: which files count (any name that does
// not begin with a dot), which of two files that name the same pod wins (the later by name), when a broken
// file takes its pod down (at the next relist, not at once), probes, restarts and their back-off, and the
// grace of an end. A changed manifest starts as soon as the old process is gone; the kubelet's extra
// back-off in that case is left out on purpose.
//
// What a manifest asks for and a plain process can not have is refused by the field's name, never ignored:
// the fields that are honoured are one table (honour.go), and whatever else is set is a refusal.
//
// A directory of programs stands for the images: the agent's own, or that which a pod's annotation names, as an image's tag
// would, so that pods of two versions run side by side and each comes back as what it was.
//
// Files: source.go lists the directory and watch.go says when; manifest.go, honour.go and pod.go make a pod of
// a file; life.go and attend.go run one pod from its first start to its end, with process.go, probe.go,
// prober.go, backoff.go and logbook.go; agent.go decides which lives there are; state.go, server.go and
// client.go tell about them; daemon.go and shutdown.go start and end an agent from outside. Processes carry
// their pod in their environment (marker.go), by which the next agent finds and adopts them (adopt.go).
package agent
