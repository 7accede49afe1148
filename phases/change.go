package phases

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/host"
)

// A Change is one thing that Apply does: files committed together, or something started or
// fetched. It is data for dry-run and diff until Apply does it.
type Change struct {
	// Verb is create, replace, start or pull.
	Verb string `json:"verb"`
	// What is the path, or the name of what is started or fetched.
	What string `json:"what"`
	// Diff shows the difference, secrets as subject and digest; "" where there is nothing to show.
	Diff string `json:"diff,omitempty"`
	// Files are what is written, in the order of their renames; nil for what writes no file.
	Files []host.File `json:"-"`

	// Needs are paths that have to be there by then: written earlier, or by this plan.
	Needs []string `json:"-"`

	do func(context.Context, Site) error
	// online is a change in the cluster's API. Those of one step are made side by side.
	online bool
	// unknown is why it could not be planned what is to change, if anything; nil for what is planned.
	unknown error
	// beside are further changes, made at the same time.
	beside []Change
	// pod is the component whose running pod has to end before Files are written: the manifest of it changes.
	pod string
	// old is what Files replace; nil where nothing was there.
	old []host.File
}

// pending stands for what can be planned only when something is known that is not known yet, and why it is not.
func pending(what string, why error) Change {
	return Change{Verb: "look for", What: what, Diff: fmt.Sprintf("(not known yet: %v)\n", why), online: true, unknown: why,
		do: func(context.Context, Site) error { return why }}
}

// Site is where a plan is applied.
type Site struct {
	Host   *host.Host
	Runner host.Runner
	// Peers are client URLs of etcd members that the caller knows of; nil: the cluster's API is asked for them.
	Peers []string
	// Kubelet is the Runner where that is the kubelet, with its container runtime's images; nil in a sandbox.
	Kubelet *host.Kubelet

	// verb is what the user asked for; Apply sets it.
	verb string
	// api is a client of this master's own apiserver; Apply sets it.
	api func() (*cluster.Client, error)
	// back takes the ways back of what is taken away; Apply sets it.
	back *retreats
	// held is nil as long as it is this master's turn to change what the masters share; Apply sets it, nil outside of one.
	held func(context.Context) error
	// tell takes the reason why a change is still waiting; Apply sets it.
	tell func(reason string)
	// warn takes what the user has to know when all is done; Apply sets it.
	warn func(text string)
}

// mayAct is nil as long as nobody else may change what the masters share: it is asked right before anything is taken away.
func (s Site) mayAct(ctx context.Context) error {
	if s.held == nil {
		return nil
	}
	return s.held(ctx)
}

// Do carries the change out, and those beside it. Done again it changes nothing.
func (c Change) Do(ctx context.Context, s Site) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, other := range c.beside {
		all.Go(func() error { return other.make(ctx, s) })
	}
	all.Go(func() error { return c.make(ctx, s) })
	return all.Wait()
}

func (c Change) make(ctx context.Context, s Site) error {
	if c.do == nil {
		return c.commit(ctx, s, c.Files)
	}
	if err := c.do(ctx, s); err != nil {
		return fmt.Errorf("%s %s: %w", c.Verb, c.What, err)
	}
	return nil
}

func (c Change) commit(ctx context.Context, s Site, files []host.File) error {
	for _, f := range files {
		if err := s.Host.Mkdir(filepath.Dir(f.Path), 0o700); err != nil {
			return err
		}
	}
	if err := c.end(ctx, s, files); err != nil {
		return err
	}
	return s.Host.Commit(ctx, files...)
}

// end takes the manifest away and has the kubelet let go of the old pod. A kubelet that meets a changed manifest
// while the pod of the old one still runs backs off for 10 s and more; one that has not reached an apiserver
// yet never ends the old pod at all. The agent needs no such help.
func (c Change) end(ctx context.Context, s Site, files []host.File) error {
	if c.pod == "" || s.Kubelet == nil {
		return nil
	}
	if err := s.Host.Stage(files...); err != nil {
		return err // nothing has ended yet
	}
	if err := s.mayAct(ctx); err != nil {
		return err
	}
	for _, f := range files {
		if err := s.Host.Remove(f.Path); err != nil {
			return err
		}
	}
	host.Killpoint("manifest of " + c.pod + " taken away")
	return s.Kubelet.Forget(ctx, c.pod)
}

// String is the change in a line, files with their modes.
func (c Change) String() string {
	text := c.Verb + " " + c.What
	if len(c.Files) > 0 && c.Files[0].Link == "" {
		text = fmt.Sprintf("%s %s (%04o)", c.Verb, c.Files[0].Path, c.Files[0].Mode.Perm())
	}
	for _, f := range c.Files[min(1, len(c.Files)):] {
		text += " and " + filepath.Base(f.Path)
		if f.Link == "" {
			text += fmt.Sprintf(" (%04o)", f.Mode.Perm())
		}
	}
	return text
}

// write is the change that makes files, committed together, what they are to be; none if they are.
func write(m Master, files ...host.File) []Change {
	c := Change{Verb: "create", What: files[0].Path}
	for _, f := range files[1:] {
		c.What += " and " + filepath.Base(f.Path)
	}
	same := true
	for _, f := range files {
		old, exists := m.Files[f.Path]
		if exists {
			c.Verb = "replace"
			c.old = append(c.old, old)
		}
		if !exists || !serves(old, f) {
			same = false
			c.Diff += describe(old, f, m.contextLines())
		}
	}
	if same || allThere(m, files) && m.isUp() {
		return nil
	}
	if err := m.mayBeUp(); err != nil && allThere(m, files) {
		c = pending("a cluster that is up, whose "+c.What+" is not to be replaced", err)
		c.online = false
		return []Change{c}
	}
	c.Files = files
	return []Change{c}
}

// allThere says whether all that files are to be is there, whatever it is. A link stands for what it leads to.
func allThere(m Master, files []host.File) bool {
	for _, f := range files {
		if _, exists := m.Files[f.Path]; !exists && files[len(files)-1].Link == "" {
			return false
		}
	}
	_, exists := m.Files[files[len(files)-1].Path]
	return exists
}

// serves says whether old can stay where f is wanted: the same content, and readable by no more people. Where
// the same content is linked to, its place and mode are the affair of who made the link.
func serves(old, f host.File) bool {
	if !bytes.Equal(old.Data, f.Data) || (f.Link != "" && f.Link != old.Link) {
		return false
	}
	return old.Link != "" || old.Mode.Perm()&^f.Mode.Perm() == 0
}

// directory is the change that makes a directory; none if it is there.
func directory(m Master, path string, mode fs.FileMode) []Change {
	if m.Survey.Dirs[path].Exists {
		return nil
	}
	return []Change{{Verb: "create", What: fmt.Sprintf("%s/ (%04o)", path, mode), do: func(_ context.Context, s Site) error {
		return s.Host.Mkdir(path, mode)
	}}}
}

// narrow is the change that takes the rights away that a directory gives beyond the mode; none if there are none.
func narrow(m Master, path string, mode fs.FileMode) []Change {
	there := m.Survey.Dirs[path].Mode
	if there&^mode == 0 {
		return nil
	}
	return []Change{{Verb: "narrow", What: fmt.Sprintf("%s/ (%04o, not %04o)", path, there&mode, there), do: func(_ context.Context, s Site) error {
		return s.Host.Narrow(path, mode)
	}}}
}
