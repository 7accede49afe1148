package phases

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// AsItIs is how a master that has been up is seen to be well: nothing is changed. Its components may only just be starting.
func AsItIs() []Phase {
	return []Phase{
		{Name: "preflight", About: "look at what could keep its pods from running", Check: canRun},
		{Name: "etcd/local", About: "this master's etcd member", Proof: componentProof("etcd")},
		{Name: "control-plane/controller-manager", About: "kube-controller-manager", Proof: componentProof("kube-controller-manager"), Alongside: true},
		{Name: "control-plane/apiserver", About: "kube-apiserver", Proof: componentProof("kube-apiserver")},
		{Name: "control-plane/scheduler", About: "kube-scheduler", Proof: componentProof("kube-scheduler")},
		{Name: proveEverything, About: "look at all four once more", Proof: Proof{Attempt: proveAll}, AfterAll: true, Sweeps: true},
	}
}

// canRun judges what lies on disk.
func canRun(m Master) ([]string, error) {
	return m.judge(slices.Concat(strays(m), unreadable(m), dataKept(m), runnerAlive(m)))
}

// unreadable are the manifests that nobody could run.
func unreadable(m Master) []finding {
	var found []finding
	for _, component := range manifests.Components() {
		if len(m.Manifests[component+".yaml"]) == 0 {
			continue // half done
		}
		if _, err := m.earlierPod(component); err != nil {
			found = append(found, finding{id: "Manifest-" + component, problem: err.Error()})
		}
	}
	return found
}

// Leaves is how certificates are renewed on disk alone, before anything is started anew by them: etcd and the apiserver
// read theirs again for each connection, so that members which expired certificates have parted find each other again. Where
// nobody runs the pods the manifests follow at once; elsewhere they do by Upgrade, one master after the other.
func Leaves() []Phase {
	return []Phase{{Name: "certs", About: "certificates and kubeconfigs that have ended, or are about to", Want: leavesAnew}}
}

func leavesAnew(m Master) ([]Change, error) {
	all, err := changedKubeconfigs(m)
	if err != nil {
		return nil, err
	}
	for _, component := range manifests.Components() {
		changes, err := changed(component)(m)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(changes, func(c Change) bool { return m.Alive && c.pod != "" })...)
	}
	return all, nil
}

// GatherAsItIs reads the facts of a master that has been up, and asks nobody but its own apiserver, whose word on the
// configuration counts where it gives one: the rest may only just be starting. The wish's Kept is implied.
func GatherAsItIs(ctx context.Context, s Site, c config.Config, w Wish) (Master, error) {
	w.Kept = true
	m := Master{Config: c, Facts: Facts{Now: host.Now(), Rootless: s.Kubelet == nil}}
	m.Living = &Living{Verb: w.Verb, Kept: true}
	if err := m.readHistory(s.Host); err != nil {
		return m, err
	}
	if err := m.read(s.Host, m.Config); err != nil {
		return m, err
	}
	here, err := m.here()
	if err != nil {
		return m, err
	}
	if m.Config, err = m.configured(ctx, here, w, func(string) {}); err != nil {
		return m, err
	}
	m.Living.Was = m.Config
	if w.Change != nil {
		if m.Config, err = w.Change(m.Config); err != nil {
			return m, &InputError{err}
		}
	}
	return m, m.readOwn(ctx, s, w)
}

// readOwn reads the rest of what is this master's own.
func (m *Master) readOwn(ctx context.Context, s Site, w Wish) error {
	if err := m.read(s.Host, m.Config); err != nil {
		return err
	}
	disk, err := diskPKI(s.Host, m.Config, m.Files)
	if err != nil {
		return err
	}
	disk.Without = m.lacking()
	if w.Renew != nil {
		m.Living.elsewhere = m.elsewhere(disk, w.Renew)
		disk = m.renewing(disk, w.Renew)
	}
	var all errgroup.Group
	all.Go(func() (err error) { m.PKI, err = gatherPKI(m.Config, disk, m.Now); return err })
	all.Go(func() (err error) { m.Survey, err = s.Host.Survey(ctx, askLiving(m.Config, m.Rootless)); return err })
	all.Go(func() error { return m.askRunner(ctx, s.Runner) })
	return all.Wait()
}

// HasBeenUp says whether a master was proved as a whole before, and is known here as it was.
func HasBeenUp(h *host.Host, c config.Config) (bool, error) {
	all, err := ReadGenerations(h, c)
	_, settled := Facts{Generations: all}.settled()
	return settled || err != nil, err
}

// MemberHere is which etcd member a master is, as its state directory remembers it; zero if it does not.
func MemberHere(h *host.Host, c config.Config) (Membership, error) { return readMembership(h, c) }

// HalfDone says whether a run has been killed on this master: manifests are missing, or it has neither got healthy nor failed.
func (m Master) HalfDone() bool {
	missing := slices.ContainsFunc(manifests.Components(), func(component string) bool {
		return len(m.Manifests[component+".yaml"]) == 0
	})
	return missing || m.newest().Verdict == UnderWay
}

// Outlived says whether a component runs by certificates that have been replaced on disk since, and nothing else has changed
// of it.
func (m Master) Outlived() bool {
	g, _ := m.settled()
	for _, r := range g.Components {
		if outlived(r, m.Files) {
			return true
		}
	}
	return false
}

func outlived(r Revision, now map[string]host.File) bool {
	replaced := false
	for _, f := range r.Files {
		same := bytes.Equal(now[f.Path].Data, f.Data)
		if filepath.Ext(f.Path) == ".yaml" && !same {
			return false
		}
		replaced = replaced || !same
	}
	return replaced
}
