package phases

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/manifests"
)

// gather adds to the facts those that are read, side by side, and draws the keys that are missing. It writes nothing.
// What is wrong with keys, certificates and patches is an InputError that holds all of it.
func gather(ctx context.Context, s Site, c config.Config, f Facts) (Facts, error) {
	f.Now, f.ProxyEnv, f.lifetime = host.Now(), proxyEnv(os.Environ()), bootstrap.DrawToken()
	if c.UploadCerts {
		f.CertificateKey = cmp.Or(c.Init.CertificateKey, bootstrap.DrawCertificateKey())
	}
	entries, err := s.Host.ReadJournal(journalPath(c))
	if err != nil {
		return f, err
	}
	f.Journaled, f.entries = len(entries) > 0, len(entries)
	if err := f.recall(s.Host, c); err != nil {
		return f, err
	}
	if err := f.read(s.Host, c); err != nil {
		return f, err
	}
	disk, err := diskPKI(s.Host, c, f.Files)
	if err != nil {
		return f, err
	}
	var all errgroup.Group
	all.Go(func() (err error) { f.PKI, err = gatherPKI(c, disk, f.Now); return err })
	all.Go(func() (err error) { f.Survey, err = s.Host.Survey(ctx, ask(c, f.Rootless)); return err })
	all.Go(func() error { return f.askRunner(ctx, s.Runner) })
	if err := all.Wait(); err != nil {
		return f, err
	}
	m := Master{Config: c, Facts: f}
	if err := m.readInputs(s.Host); err != nil {
		return f, err
	}
	m.readSources(s.Host)
	return m.Facts.asked(ctx, m), nil
}

// gatherPKI draws what the disk lacks.
func gatherPKI(c config.Config, disk DiskPKI, now time.Time) (PKI, error) {
	pki, err := fillPKI(c, disk, now)
	if err != nil {
		return pki, &InputError{err}
	}
	return pki, nil
}

// askRunner asks the runner for every component. What it can't say yet is simply not there; one that hangs is an error.
func (f *Facts) askRunner(ctx context.Context, r host.Runner) error {
	f.Running = map[string]host.Running{}
	err := r.Alive(ctx)
	if errors.Is(err, host.ErrHangs) {
		return err
	}
	f.Alive = err == nil
	for _, component := range manifests.Components() {
		if pod, err := r.Pod(ctx, component); err == nil {
			f.Running[component] = pod
		}
	}
	return nil
}

// recall reads what tripod has kept of this master.
func (f *Facts) recall(h *host.Host, c config.Config) (err error) {
	if f.Membership, err = readMembership(h, c); err != nil {
		return err
	}
	f.Generations, err = ReadGenerations(h, c)
	return err
}

// read reads every file that a plan may write, and the patches.
func (f *Facts) read(h *host.Host, c config.Config) error {
	f.Files = map[string]host.File{}
	for _, dir := range fileDirs(c) {
		if err := f.readDir(h, dir); err != nil {
			return err
		}
	}
	f.Manifests = map[string][]byte{}
	for path, file := range f.Files {
		if filepath.Dir(path) == c.Paths.Manifests {
			f.Manifests[filepath.Base(path)] = file.Data
		}
	}
	return f.readPatches(c)
}

// fileDirs are the directories whose files a plan may write.
func fileDirs(c config.Config) []string {
	return []string{
		c.Paths.Kubernetes, c.Paths.PKI, filepath.Join(c.Paths.PKI, "etcd"),
		c.Paths.Manifests, c.Paths.Kubelet, filepath.Join(c.Paths.Kubelet, "pki"), memberDir(c),
	}
}

// readDir reads the files of a directory that are small enough to be configuration.
func (f *Facts) readDir(h *host.Host, dir string) error {
	names, err := h.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := os.Stat(h.Path(path))
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, ".") || info.Size() > 10<<20 {
			continue
		}
		file, exists, err := h.Read(path)
		if err != nil {
			return err
		}
		if exists {
			f.Files[path] = file
		}
	}
	return nil
}

// proxyEnv are the variables with which kubeadm, too, passes a proxy on to the components.
func proxyEnv(environ []string) []corev1.EnvVar {
	var vars []corev1.EnvVar
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasSuffix(strings.ToLower(name), "_proxy") && value != "" {
			vars = append(vars, corev1.EnvVar{Name: name, Value: value})
		}
	}
	return vars
}

// Outdated says whether another tripod has done something on this host since the facts were read.
func (m Master) Outdated(h *host.Host) (bool, error) {
	entries, err := h.ReadJournal(journalPath(m.Config))
	return len(entries) != m.entries, err
}

// JournalPath is where the journal lies.
func (m Master) JournalPath() string { return journalPath(m.Config) }

// JournalUnder is where the journal lies of what paths belong to.
func JournalUnder(p config.Paths) string { return filepath.Join(p.State, "journal.jsonl") }

func journalPath(c config.Config) string { return JournalUnder(c.Paths) }
