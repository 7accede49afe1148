// Package sandbox lays out control planes that need no root: each master has an address of
// its own in 127.0.0.0/8, so that all components keep their standard ports, and directories
// of its own below one state folder. It knows names, addresses and places; what runs there is
// brought up by the same phases as anywhere, with the embedded agent for a kubelet.
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"tripod.dev/tripod/internal/config"
)

// Sandbox is a control plane on this machine, as its record has it.
type Sandbox struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// KubernetesVersion is vMAJOR.MINOR.PATCH.
	KubernetesVersion string `json:"kubernetesVersion"`
	// BinDir holds the component binaries.
	BinDir  string   `json:"binDir"`
	Masters []Master `json:"masters"`

	dir string
}

// Master is one master of a sandbox.
type Master struct {
	// Name is m1, m2, ...; the node is called SANDBOX-m1.
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
}

// ErrNotFound is a sandbox that does not exist.
var ErrNotFound = errors.New("no such sandbox")

// record is the file that makes a folder a sandbox.
const record = "sandbox.json"

// nameForm is that of a DNS label, as node names begin with it; short, for the path of the agent's socket.
var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// Folder is the state folder: $XDG_STATE_HOME/tripod/sandboxes, or the same below ~/.local/state.
func Folder() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tripod", "sandboxes"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for sandboxes: %w\nhint: set XDG_STATE_HOME", err)
	}
	return filepath.Join(home, ".local", "state", "tripod", "sandboxes"), nil
}

// New is a sandbox with one master, at addresses that no other sandbox below folder has and where
// nothing listens. It is not written yet.
func New(folder, name string) (Sandbox, error) {
	if !nameForm.MatchString(name) {
		return Sandbox{}, fmt.Errorf("%q can't name a sandbox: lower case letters, digits and dashes, at most 40", name)
	}
	others, err := List(folder)
	if err != nil {
		return Sandbox{}, err
	}
	address, err := free(name, others)
	return Sandbox{Name: name, Created: time.Now().UTC().Truncate(time.Second), dir: filepath.Join(folder, name),
		Masters: []Master{{Name: "m1", Address: address}}}, err
}

// Load reads a sandbox; ErrNotFound if there is none of that name.
func Load(folder, name string) (Sandbox, error) {
	if !nameForm.MatchString(name) { // nor may it lead out of the folder
		return Sandbox{}, fmt.Errorf("%q: %w", name, ErrNotFound)
	}
	s := Sandbox{dir: filepath.Join(folder, name)}
	data, err := os.ReadFile(filepath.Join(s.dir, record))
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s: %w", filepath.Join(s.dir, record), err)
	}
	return s, nil
}

// List reads all sandboxes below folder, by name.
func List(folder string) ([]Sandbox, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Sandbox
	for _, e := range entries {
		s, err := Load(folder, e.Name())
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Sandbox) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// Save writes the record, whole or not at all.
func (s Sandbox) Save() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	staged := filepath.Join(s.dir, "."+record)
	if err := os.WriteFile(staged, append(data, '\n'), 0o600); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	return os.Rename(staged, filepath.Join(s.dir, record))
}

// Remove deletes everything that the sandbox has on disk, and the state folder with the last of them. Nothing may
// run in it any more.
func (s Sandbox) Remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	folder := filepath.Dir(s.dir)
	for _, empty := range []string{folder, filepath.Dir(folder)} {
		_ = os.Remove(empty) // not if there is something in it
	}
	return nil
}

// Dir is the sandbox's folder.
func (s Sandbox) Dir() string { return s.dir }

// Root is where a master's paths begin, as / is for a machine.
func (s Sandbox) Root(m Master) string { return filepath.Join(s.dir, m.Name) }

// Paths are a master's paths.
func (s Sandbox) Paths(m Master) config.Paths { return config.PathsUnder(s.Root(m)) }

// Node is the name under which a master is known to its cluster.
func (s Sandbox) Node(m Master) string { return s.Name + "-" + m.Name }
