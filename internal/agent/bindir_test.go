package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withBinDir is a pod whose programs are those of a directory of its own.
func withBinDir(text, dir string) string {
	return strings.Replace(text, "  annotations:\n", fmt.Sprintf("  annotations:\n    %s: %q\n", BinDirAnnotation, dir), 1)
}

// release is another directory with the program.
func (l *lab) release(name string) (dir string) {
	l.t.Helper()
	dir = filepath.Join(l.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		l.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err == nil {
		err = os.Symlink(exe, filepath.Join(dir, "program"))
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return dir
}

// runsFrom wants the pod's process to have been started from the directory.
func (l *lab) runsFrom(pod, dir string) ContainerState {
	l.t.Helper()
	var c ContainerState
	l.eventually(pod+" runs from "+dir, func() bool {
		c = l.container(pod)
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.PID))
		program, _, _ := strings.Cut(string(command), "\x00")
		return err == nil && program == filepath.Join(dir, "program")
	})
	return c
}

// Pods of several releases run side by side, each from its own directory: that of the agent where the manifest names none. A
// pod that is told of another directory is started anew, and one that is not stays what it was, whoever is its agent by then.
func TestPodsNameTheirBinaries(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	older, newer := l.release("older"), l.release("newer")
	for pod, dir := range map[string]string{"first": older, "second": older} {
		l.put(pod+".yaml", withBinDir(manifest(pod, "sleep", "", ""), dir))
	}
	l.put("bare.yaml", manifest("bare", "sleep", "", ""))
	leave := l.run()
	first, bare := l.runsFrom("first", older), l.runsFrom("bare", l.options.BinDir)
	second := l.runsFrom("second", older)

	l.put("second.yaml", withBinDir(manifest("second", "sleep", "", ""), newer))
	upgraded := l.runsFrom("second", newer)
	l.gone(second.PID)
	l.put("second.yaml", withBinDir(manifest("second", "sleep", "", ""), older)) // and back
	l.runsFrom("second", older)
	l.gone(upgraded.PID)

	leave()
	l.options.BinDir = newer // of the agent that comes next
	l.run()
	equal(t, "pid of what names its own", l.running("first", 0).PID, first.PID)
	l.runsFrom("bare", newer)
	l.gone(bare.PID)
}

// A directory that is none is told by the annotation's name, and the program's probes come from there, too.
func TestReadBinDir(t *testing.T) {
	t.Parallel()
	r, other := testReader(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "tool"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	probed := manifest("p", "sleep", "livenessProbe: {exec: {command: [tool]}}", "")
	probed = strings.Replace(probed, "command: [program]", "command: [tool]", 1)
	for _, test := range []struct{ text, problem string }{
		{withBinDir(probed, other), ""},
		{withBinDir(probed, other+"/../"+filepath.Base(other)+"/"), ""},
		{withBinDir(manifest("p", "sleep", "", ""), r.binDir), ""},
		{withBinDir(manifest("p", "sleep", "", ""), other), `spec.containers[0].command[0]: no program "program" in the binary directory ` + other},
		{withBinDir(manifest("p", "sleep", "", ""), "bin"), `metadata.annotations[tripod.dev/bin-dir]: "bin" is not an absolute path`},
		{withBinDir(manifest("p", "sleep", "", ""), ""), `metadata.annotations[tripod.dev/bin-dir]: "" is not an absolute path`},
		{withBinDir(strings.Replace(probed, "[tool]", "[../tool]", 1), other), "spec.containers[0].command[0]: ../tool is outside the binary directory " + other},
	} {
		p, problems := r.read("p.yaml", []byte(test.text))
		var got []string
		for _, problem := range problems {
			got = append(got, problem.String())
		}
		equal(t, "problems", strings.Join(got, "; "), test.problem)
		if test.problem == "" && !filepath.IsAbs(p.Program) {
			t.Errorf("program %q", p.Program)
		}
	}
}
