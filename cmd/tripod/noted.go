package main

import (
	"tripod.dev/tripod/internal/config"
	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// noted does what changes the cluster or this machine and is no plan, and leaves two lines in the journal of what paths
// belong to: that it was begun, and how it ended.
func noted(paths config.Paths, verb string, changes []string, do func() error) error {
	h, path := host.Open("/"), phases.JournalUnder(paths)
	if err := h.Note(path, host.Entry{Verb: verb, Changes: changes, Status: string(phases.Begun)}); err != nil {
		return err
	}
	err := do()
	ended := host.Entry{Verb: verb, Changes: changes, Status: string(phases.Done)}
	if err != nil {
		ended.Status, ended.Error = string(phases.Failed), err.Error()
	}
	if noting := h.Note(path, ended); err == nil {
		return noting
	}
	return err
}

// ofMachine are the paths of this machine.
func ofMachine() config.Paths { return config.PathsUnder("/") }
