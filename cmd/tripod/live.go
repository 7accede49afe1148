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
	to io.Writer
	// width is that of the terminal in columns: a line that wraps could not be drawn over.
	width func() int
	done  chan struct{}
	ticks sync.WaitGroup

	mu      sync.Mutex
	running []*line
	drawn   int
}

// line is a phase that runs.
type line struct {
	subject string
	begun   time.Time
	reason  string
}

func newLive(w io.Writer) *live {
	l := &live{to: w, width: func() int { return columns(w) }, done: make(chan struct{})}
	l.ticks.Go(l.tick)
	return l
}

func columns(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
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
			l.draw()
			l.mu.Unlock()
		}
	}
}

func (l *live) close() {
	close(l.done)
	l.ticks.Wait()
	l.running = nil
	l.draw()
}

func (l *live) tell(e phases.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case phases.Begun:
		l.running = append(l.running, &line{subject: subject(e), begun: e.Time})
		l.draw()
	case phases.Waiting:
		for _, r := range l.running {
			if r.subject == subject(e) {
				r.reason = e.Text
			}
		}
		l.draw()
	case phases.Changed: // the phase's own line is enough
	case phases.Proved, phases.Done, phases.Unproved, phases.Failed:
		l.running = slices.DeleteFunc(l.running, func(r *line) bool { return r.subject == subject(e) })
		l.draw(l.finished(e))
	default:
		l.draw(l.note(e)...)
	}
}

// finished is the line that stays of a phase.
func (l *live) finished(e phases.Event) string {
	colour, mark, note := green, "✓", ""
	switch e.Kind {
	case phases.Proved:
		note = "healthy"
	case phases.Unproved:
		colour, mark, note = yellow, "-", sentence(e)
	case phases.Failed: // the cause is the error at the end
		colour, mark = red, "✗"
	}
	return l.row(colour.in(l.to, mark), subject(e), e.Seconds, note)
}

// note is an event with its lines, those of a crash among them, which are told here and nowhere else.
func (l *live) note(e phases.Event) []string {
	var lines []string
	for text := range strings.Lines(strings.TrimSpace(e.Master + " " + sentence(e))) {
		text = l.fit(text, 2)
		if lines == nil {
			lines = append(lines, yellow.in(l.to, "!")+" "+text)
			continue
		}
		lines = append(lines, grey.in(l.to, text))
	}
	return lines
}

// row is a phase with its seconds. The mark is one column wide, with its colour.
func (l *live) row(mark, subject string, seconds float64, note string) string {
	head := l.fit(fmt.Sprintf("%-35s %6.2fs", subject, seconds), 2)
	return strings.TrimRight(mark+" "+head+"  "+grey.in(l.to, l.fit(note, 2+len([]rune(head))+2)), " ")
}

// draw replaces the lines of what runs by lines that stay and what runs now. The lock is held.
func (l *live) draw(stay ...string) {
	if l.drawn == 0 && len(stay) == 0 && len(l.running) == 0 {
		return
	}
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	b.WriteString("\x1b[J")
	for _, s := range stay {
		b.WriteString(s + "\n")
	}
	for _, r := range l.running {
		b.WriteString(l.row("·", r.subject, time.Since(r.begun).Seconds(), r.reason) + "\n")
	}
	l.drawn = len(l.running)
	_, _ = io.WriteString(l.to, b.String())
}

// fit is the first line of a text, shortened to what is left of the terminal's width. It is cut in its middle: what a
// message is about stands at its beginning, and why at its end.
func (l *live) fit(text string, used int) string {
	text, _, _ = strings.Cut(text, "\n")
	runes, room := []rune(text), max(l.width()-used-1, 0)
	switch {
	case len(runes) <= room:
		return text
	case room == 0:
		return ""
	}
	head := (room - 1) / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(room-1-head):])
}
