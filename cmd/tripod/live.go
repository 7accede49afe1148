package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"tripod.dev/tripod/phases"
)

// live is the display on a terminal: finished phases stay, running ones are drawn again below them.
type live struct {
	to   io.Writer
	done chan struct{}

	mu      sync.Mutex
	running []*line
	drawn   int
}

// line is a phase that runs.
type line struct {
	phase  string
	begun  time.Time
	reason string
}

func newLive(w io.Writer) *live {
	l := &live{to: w, done: make(chan struct{})}
	go l.tick()
	return l
}

// tick keeps the seconds of what runs going.
func (l *live) tick() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-t.C:
			l.mu.Lock()
			l.draw("")
			l.mu.Unlock()
		}
	}
}

func (l *live) close() {
	close(l.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = nil
	l.draw("")
}

func (l *live) tell(e phases.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case phases.Begun:
		l.running = append(l.running, &line{phase: e.Phase, begun: e.Time})
		l.draw("")
	case phases.Waiting:
		for _, r := range l.running {
			if r.phase == e.Phase {
				r.reason = e.Text
			}
		}
		l.draw("")
	case phases.Changed: // the phase's own line is enough
	case phases.Proved, phases.Done, phases.Unproved, phases.Failed:
		l.running = slices.DeleteFunc(l.running, func(r *line) bool { return r.phase == e.Phase })
		l.draw(l.finished(e))
	default:
		l.draw(yellow.in(l.to, "! ") + sentence(e) + "\n")
	}
}

// finished is the line that stays of a phase.
func (l *live) finished(e phases.Event) string {
	mark, note := green.in(l.to, "✓"), ""
	switch e.Kind {
	case phases.Proved:
		note = "healthy"
	case phases.Unproved:
		mark, note = yellow.in(l.to, "-"), sentence(e)
	case phases.Failed:
		mark = red.in(l.to, "✗")
	}
	return fmt.Sprintf("%s %-34s %6.2fs  %s\n", mark, e.Phase, e.Seconds, grey.in(l.to, note))
}

// draw replaces the lines of what runs by text and what runs now. The lock is held.
func (l *live) draw(text string) {
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\x1b[J" + text)
	for _, r := range l.running {
		head := fmt.Sprintf("· %-34s %6.2fs  ", r.phase, time.Since(r.begun).Seconds())
		b.WriteString(head + grey.in(l.to, l.fit(r.reason, len(head))) + "\n")
	}
	l.drawn = len(l.running)
	_, _ = io.WriteString(l.to, b.String())
}

// fit is the first line of a reason, cut to what is left of the terminal's width.
func (l *live) fit(reason string, used int) string {
	reason, _, _ = strings.Cut(reason, "\n")
	width := 100
	if f, ok := l.to.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = w
		}
	}
	if room := max(width-used-1, 0); len([]rune(reason)) > room {
		return string([]rune(reason)[:max(room-1, 0)]) + "…"
	}
	return reason
}
