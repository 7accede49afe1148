package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"tripod.dev/tripod/phases"
)

// progress shows events as they come: on a terminal a line a phase with what it waits for, elsewhere
// plain lines, with -o json one event a line.
type progress interface {
	tell(phases.Event)
	// close ends the display; nothing is told after it.
	close()
}

func newProgress(w io.Writer, output string) progress {
	switch {
	case output == "json":
		return jsonProgress{json.NewEncoder(w)}
	case terminal(w):
		return newLive(w)
	}
	return plain{to: w}
}

// inTurn is a progress that several tell at once.
type inTurn struct {
	progress
	mu sync.Mutex
}

func (p *inTurn) tell(e phases.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.tell(e)
}

// progressOf is what one of several masters tells.
type progressOf struct {
	progress
	master string
}

func (p progressOf) tell(e phases.Event) {
	e.Master = p.master
	p.progress.tell(e)
}

// jsonProgress writes one event a line.
type jsonProgress struct{ to *json.Encoder }

func (p jsonProgress) tell(e phases.Event) { _ = p.to.Encode(e) }
func (jsonProgress) close()                {}

// plain writes lines that read well in a log.
type plain struct {
	to io.Writer
	// verbose tells also when a phase begins.
	verbose bool
}

func (p plain) tell(e phases.Event) {
	if e.Kind == phases.Begun && !p.verbose {
		return
	}
	fmt.Fprintf(p.to, "[%s] %s\n", subject(e), sentence(e))
}

func (plain) close() {}

// subject is what an event is about: the phase, and of which master where there are several.
func subject(e phases.Event) string { return strings.TrimSpace(e.Master + " " + e.Phase) }

// sentence is an event in words.
func sentence(e phases.Event) string {
	switch e.Kind {
	case phases.Changed:
		return e.Text
	case phases.Waiting:
		return "waiting: " + e.Text
	case phases.Proved:
		return "healthy after " + seconds(e.Seconds)
	case phases.Done:
		return "done after " + seconds(e.Seconds)
	case phases.Unproved:
		return "written, not proved: no kubelet runs here yet"
	case phases.Failed: // the cause is the error at the end
		return "failed after " + seconds(e.Seconds)
	case phases.Crashed:
		return e.Text
	case phases.Begun:
		return "begins"
	}
	return string(e.Kind) + ": " + strings.ReplaceAll(e.Text, "\n", "\n    ")
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond).String()
}
