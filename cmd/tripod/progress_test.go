package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/phases"
)

const crash = "container etcd ended with exit code 1, its last lines:\n    info: closing\n    fatal: discovery failed: listen tcp 127.64.1.1:2380: bind: address already in use"

// someEvents are those of a run, a second apart.
func someEvents() []phases.Event {
	list := []phases.Event{
		{Kind: phases.Warned, Phase: "config", Text: "swap is on\nhint: turn it off"},
		{Kind: phases.Begun, Phase: "certs"},
		{Kind: phases.Changed, Phase: "certs", Text: "create /pki/ca.crt (0644)"},
		{Kind: phases.Done, Phase: "certs", Seconds: 0.04},
		{Kind: phases.Begun, Phase: "control-plane/controller-manager"},
		{Kind: phases.Begun, Phase: "etcd/local"},
		{Kind: phases.Waiting, Phase: "etcd/local", Text: "asking http://127.64.1.1:2381/readyz: connect: connection refused, which is a long story"},
		{Kind: phases.Proved, Phase: "control-plane/controller-manager", Seconds: 3.2},
		{Kind: phases.Crashed, Phase: "etcd/local", Text: crash},
		{Kind: phases.Failed, Phase: "etcd/local", Seconds: 4, Text: "container etcd ended with exit code 1"},
		{Kind: phases.Restored, Phase: "etcd/local", Seconds: 5, Text: "the earlier etcd.yaml is back and healthy"},
		{Kind: phases.Begun, Phase: "control-plane/scheduler"},
		{Kind: phases.Unproved, Phase: "control-plane/scheduler", Seconds: 0.01},
	}
	return list
}

func TestProgressElsewhere(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"text", "json"} {
		var out bytes.Buffer
		p := newProgress(&out, output)
		for _, e := range someEvents() {
			e.Time = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			p.tell(e)
		}
		p.close()
		golden(t, filepath.Join("testdata", "progress-"+output+".txt"), out.String())
	}
}

func TestJSONProgressIsOneEventALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, "json")
	for _, e := range someEvents() {
		p.tell(e)
	}
	var got []phases.Event
	for line := range strings.Lines(out.String()) {
		var e phases.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(someEvents(), got); diff != "" {
		t.Error(diff)
	}
}

// screen is what a terminal shows after the output: all that live uses of its language is to go up and to erase.
func screen(out string) []string {
	rows := []string{""}
	at := 0
	for _, token := range regexp.MustCompile(`\x1b\[\d*[AJ]|\n|[^\x1b\n]+`).FindAllString(out, -1) {
		switch {
		case strings.HasSuffix(token, "A") && token[0] == '\x1b':
			up := 0
			for _, digit := range token[2 : len(token)-1] {
				up = 10*up + int(digit-'0')
			}
			at -= up
		case token[0] == '\x1b':
			rows = append(rows[:at], "")
		case token == "\n":
			at++
			if at == len(rows) {
				rows = append(rows, "")
			}
		default:
			rows[at] += token
		}
	}
	return rows
}

func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLive(&out)
		l.width = func() int { return 60 }
		var during []string
		for _, e := range someEvents() {
			e.Time = time.Now()
			l.tell(e)
			time.Sleep(time.Second)
			synctest.Wait()
			if e.Kind == phases.Waiting {
				during = screen(out.String())
			}
		}
		l.close()
		want := []string{
			"! warning: swap is on",
			"    hint: turn it off",
			"✓ certs                                 0.04s",
			"· control-plane/controller-manager      3.00s",
			"· etcd/local                            2.00s  ask…ng story",
			"",
		}
		if diff := cmp.Diff(want, during); diff != "" {
			t.Errorf("while it waits (-want +got)\n%s", diff)
		}
		want = []string{
			"! warning: swap is on",
			"    hint: turn it off",
			"✓ certs                                 0.04s",
			"✓ control-plane/controller-manager      3.20s  healthy",
			"! container etcd ended with exit code 1, its last lines:",
			"    info: closing",
			"    fatal: discove…1.1:2380: bind: address already in use",
			"✗ etcd/local                            4.00s",
			"! restored: the earlier etcd.yaml is back and healthy",
			"- control-plane/scheduler               0.01s  wri…here yet",
			"",
		}
		if diff := cmp.Diff(want, screen(out.String())); diff != "" {
			t.Errorf("at the end (-want +got)\n%s", diff)
		}
	})
}

// Events of several masters, told at once, say whose they are.
func TestProgressOfMasters(t *testing.T) {
	t.Parallel()
	const phase = "control-plane/controller-manager"
	tell := func(p progress) {
		shared := &inTurn{progress: p}
		for _, kind := range []phases.Kind{phases.Begun, phases.Proved, phases.Crashed} {
			for _, master := range []string{"m1", "m2"} {
				progressOf{shared, master}.tell(phases.Event{Kind: kind, Phase: phase, Seconds: 0.5, Text: "container ended"})
			}
		}
		shared.close()
	}
	var text, lines, drawn bytes.Buffer
	tell(newProgress(&text, "text"))
	want := "[m1 " + phase + "] healthy after 500ms\n[m2 " + phase + "] healthy after 500ms\n" +
		"[m1 " + phase + "] container ended\n[m2 " + phase + "] container ended\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("as text (-want +got)\n%s", diff)
	}
	tell(newProgress(&lines, "json"))
	if got := strings.Count(lines.String(), `"master":"m2","phase":"`+phase+`"`); got != 3 {
		t.Errorf("%d events of m2 in\n%s", got, lines.String())
	}
	l := newLive(&drawn)
	l.width = func() int { return 80 }
	tell(l)
	screened := []string{
		"✓ m1 " + phase + "   0.50s  healthy", "✓ m2 " + phase + "   0.50s  healthy",
		"! m1 container ended", "! m2 container ended", "",
	}
	if diff := cmp.Diff(screened, screen(drawn.String())); diff != "" {
		t.Errorf("on a terminal (-want +got)\n%s", diff)
	}
}

// However narrow the terminal, no line wraps, as it could not be drawn over.
func TestLiveNeverWraps(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1, 2, 10, 40, 80} {
		var out bytes.Buffer
		l := newLive(&out)
		l.width = func() int { return width }
		for _, e := range someEvents() {
			l.tell(e)
		}
		l.close()
		for _, row := range screen(out.String()) {
			if n := utf8.RuneCountInString(row); n > max(width, 2) {
				t.Errorf("width %d: %q", width, row)
			}
		}
	}
}
