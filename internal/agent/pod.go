package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// RevisionAnnotation is the pod annotation whose value the agent tells as the revision of what runs.
const RevisionAnnotation = "tripod.dev/revision"

// BinDirAnnotation is the pod annotation that names the directory of its programs, as an image's tag would: pods of two versions
// run side by side, and each knows its own. Without it the programs are those of the agent's own directory.
const BinDirAnnotation = "tripod.dev/bin-dir"

// defaultGrace is what the API defaults terminationGracePeriodSeconds to.
const defaultGrace = 30 * time.Second

// pod is all that a manifest asks for, ready to be run.
type pod struct {
	Namespace, Name string
	File            string // base name in the manifest directory
	Revision        string // of RevisionAnnotation
	Hash            string // digest of all that can make another process of it
	Container       string
	Program         string // absolute path
	Args            []string
	Env             []string // NAME=value
	Dir             string
	Mounts          []mount
	Restart         corev1.RestartPolicy
	Grace           time.Duration // from SIGTERM to SIGKILL
	Startup         *probe        // nil: started at once
	Liveness        *probe        // nil: live while it runs
	Readiness       *probe        // nil: ready when started
}

// key tells pods apart, as namespace and name do for the kubelet.
func (p pod) key() string { return p.Namespace + "/" + p.Name }

func splitKey(key string) (namespace, name string) {
	namespace, name, _ = strings.Cut(key, "/")
	return namespace, name
}

// reader makes pods of manifest files.
type reader struct {
	manifests string // the directory, which marks the processes
	binDir    string
	self      identity
}

// read makes a pod of the file called name, or says all that stands against it.
func (r reader) read(name string, data []byte) (pod, []Problem) {
	manifest, err := decode(data)
	if err != nil {
		return pod{}, []Problem{{Why: err.Error()}}
	}
	problems := append(nameProblems(manifest), refusals(manifest, r.self)...)
	problems = append(problems, shapeProblems(manifest)...)
	if len(problems) > 0 {
		return pod{}, problems
	}
	return r.interpret(name, manifest)
}

// interpret makes a pod of a manifest without unsupported fields.
func (r reader) interpret(file string, manifest *corev1.Pod) (pod, []Problem) {
	container := manifest.Spec.Containers[0]
	values, env, problems := environment(container.Env)
	command := expandAll(container.Command, values)
	r, misplaced := r.in(manifest.Annotations)
	problems = append(problems, misplaced...)
	program, why := r.program(command)
	if why != "" {
		problems = append(problems, Problem{"spec.containers[0].command[0]", why})
	}
	mounts, unmounted := mountsOf(manifest.Spec)
	problems = append(problems, unmounted...)

	p := pod{
		Namespace: manifest.Namespace, Name: manifest.Name, File: file,
		Revision:  manifest.Annotations[RevisionAnnotation],
		Container: container.Name,
		Program:   program,
		Args:      slices.Concat(command[min(1, len(command)):], expandAll(container.Args, values)),
		Env:       env,
		Dir:       container.WorkingDir,
		Mounts:    mounts,
		Restart:   manifest.Spec.RestartPolicy,
		Grace:     grace(manifest.Spec.TerminationGracePeriodSeconds, defaultGrace),
	}
	p.setDefaults()
	problems = append(problems, r.setProbes(&p, container, values)...)
	p.Hash = p.digest(manifest)
	return p, problems
}

// in is the reader whose programs are those of the directory that the annotations name, if they name one.
func (r reader) in(annotations map[string]string) (reader, []Problem) {
	dir, named := annotations[BinDirAnnotation]
	switch {
	case !named:
		return r, nil
	case !filepath.IsAbs(dir): // the agent's own working directory means nothing to who writes manifests
		return r, []Problem{{"metadata.annotations[" + BinDirAnnotation + "]", fmt.Sprintf("%q is not an absolute path", dir)}}
	}
	r.binDir = filepath.Clean(dir)
	return r, nil
}

func (p *pod) setDefaults() {
	if p.Namespace == "" {
		p.Namespace = corev1.NamespaceDefault
	}
	if p.Restart == "" {
		p.Restart = corev1.RestartPolicyAlways
	}
	if p.Dir == "" {
		p.Dir = "/"
	}
}

// setProbes fills in the three probes.
func (r reader) setProbes(p *pod, container corev1.Container, env map[string]string) []Problem {
	all := probeReader{reader: r, ports: container.Ports, env: env, pod: p}
	p.Startup = all.read("startupProbe", container.StartupProbe)
	p.Liveness = all.read("livenessProbe", container.LivenessProbe)
	p.Readiness = all.read("readinessProbe", container.ReadinessProbe)
	return all.problems
}

// digest covers the manifest, its file and the program: the kubelet too takes the same pod in another file for
// another pod, and a changed binary directory is what another image is to the kubelet.
func (p pod) digest(manifest *corev1.Pod) string {
	sum := sha256.New()
	// Encoding a decoded pod can not fail.
	_ = json.NewEncoder(sum).Encode(manifest)
	fmt.Fprintf(sum, "%s\n%s\n", p.File, p.Program)
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// program finds the command in the binary directory, which stands for the image.
func (r reader) program(command []string) (path, why string) {
	if len(command) == 0 || command[0] == "" {
		return "", "must be set: the agent knows no image that would name a program"
	}
	path = filepath.Join(r.binDir, command[0])
	if filepath.IsAbs(command[0]) {
		path = filepath.Clean(command[0])
	}
	if inside, err := filepath.Rel(r.binDir, path); err != nil || strings.HasPrefix(inside, "..") {
		return "", fmt.Sprintf("%s is outside the binary directory %s", command[0], r.binDir)
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", fmt.Sprintf("no program %q in the binary directory %s", command[0], r.binDir)
	}
	return path, ""
}

// environment is what a container of a bare image gets, and the manifest's own variables.
func environment(vars []corev1.EnvVar) (values map[string]string, env []string, problems []Problem) {
	env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	values = map[string]string{}
	for i, v := range vars {
		if v.Name == markerName || len(validation.IsRelaxedEnvVarName(v.Name)) > 0 {
			problems = append(problems, Problem{fmt.Sprintf("spec.containers[0].env[%d].name", i), fmt.Sprintf("%q can not be set", v.Name)})
			continue
		}
		values[v.Name] = expand(v.Value, values)
		env = append(env, v.Name+"="+values[v.Name])
	}
	return values, env, problems
}

// nameProblems are those of names, which become names of files here.
func nameProblems(manifest *corev1.Pod) []Problem {
	var problems []Problem
	complain := func(field string, whys []string) {
		for _, why := range whys {
			problems = append(problems, Problem{field, why})
		}
	}
	complain("metadata.name", validation.IsDNS1123Subdomain(manifest.Name))
	if manifest.Namespace != "" {
		complain("metadata.namespace", validation.IsDNS1123Label(manifest.Namespace))
	}
	for i, container := range manifest.Spec.Containers {
		complain(fmt.Sprintf("spec.containers[%d].name", i), validation.IsDNS1123Label(container.Name))
	}
	return problems
}

// shapeProblems are fields that must be set.
func shapeProblems(manifest *corev1.Pod) []Problem {
	var problems []Problem
	if !manifest.Spec.HostNetwork {
		problems = append(problems, Problem{"spec.hostNetwork", "must be true: a plain process has the host's network"})
	}
	switch len(manifest.Spec.Containers) {
	case 0:
		problems = append(problems, Problem{"spec.containers", "must hold one container"})
	case 1:
		problems = append(problems, portProblems(manifest.Spec.Containers[0].Ports)...)
	default:
		problems = append(problems, Problem{"spec.containers[1]", "is not supported: one container per pod"})
	}
	return problems
}

func portProblems(ports []corev1.ContainerPort) []Problem {
	var problems []Problem
	for i, port := range ports {
		if port.HostPort != 0 && port.HostPort != port.ContainerPort {
			field := fmt.Sprintf("spec.containers[0].ports[%d].hostPort", i)
			problems = append(problems, Problem{field, "must be the containerPort: a plain process has the host's network"})
		}
	}
	return problems
}

func grace(seconds *int64, fallback time.Duration) time.Duration {
	if seconds == nil {
		return fallback
	}
	return time.Duration(min(*seconds, int64(math.MaxInt64/time.Second))) * time.Second // more is no more than 292 years
}
