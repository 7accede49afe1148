package manifests

import (
	"bytes"
	"fmt"
	"strings"
)

// Diff is the unified diff of a file's old and new content, with context unchanged lines around each change; "" if they are
// the same. An old that is nil is a file that does not exist yet, a new that is nil one that goes.
func Diff(path string, old, new []byte, context int) string {
	if bytes.Equal(old, new) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", nameOr(path, old), nameOr(path, new))
	edits := script(lines(old), lines(new))
	for _, h := range hunks(edits, context) {
		h.write(&b, edits)
	}
	return b.String()
}

func nameOr(path string, content []byte) string {
	if content == nil {
		return "/dev/null"
	}
	return path
}

// lines splits text, each line without its end. A last line without an end says so, as diff does.
func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	s, ended := strings.CutSuffix(string(text), "\n")
	if !ended {
		s += "\n\\ No newline at end of file"
		all := strings.Split(s, "\n")
		last := len(all) - 2
		return append(all[:last], all[last]+"\n"+all[last+1])
	}
	return strings.Split(s, "\n")
}

// An edit is a line that stays (' '), goes ('-') or comes ('+').
type edit struct {
	op   byte
	line string
}

// script is the shortest way from a to b, by their longest common subsequence. What both begin and end with is set
// aside first, so that the table stays small for the small changes that are the rule.
func script(a, b []string) []edit {
	head := common(a, b, func(s []string, i int) string { return s[i] })
	tail := common(a[head:], b[head:], func(s []string, i int) string { return s[len(s)-1-i] })
	var edits []edit
	for _, line := range a[:head] {
		edits = append(edits, edit{' ', line})
	}
	edits = append(edits, subsequence(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

// common counts the lines that are the same in a and b, one after the other as at picks them.
func common(a, b []string, at func([]string, int) string) int {
	n := 0
	for n < len(a) && n < len(b) && at(a, n) == at(b, n) {
		n++
	}
	return n
}

// subsequence is script's table: longest[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
func subsequence(a, b []string) []edit {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	return walk(a, b, longest)
}

func walk(a, b []string, longest [][]int) []edit {
	var edits []edit
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	return edits
}

// A hunk is a run of edits: first to (not including) last, with the lines of context around them.
type hunk struct{ first, last int }

// hunks groups the changes; those with no more than twice the context between them are one hunk.
func hunks(edits []edit, context int) []hunk {
	var all []hunk
	for i, e := range edits {
		if e.op == ' ' {
			continue
		}
		first, last := max(0, i-context), min(len(edits), i+1+context)
		if n := len(all); n > 0 && first <= all[n-1].last {
			all[n-1].last = last
			continue
		}
		all = append(all, hunk{first, last})
	}
	return all
}

func (h hunk) write(b *strings.Builder, edits []edit) {
	oldStart, newStart := count(edits[:h.first])
	oldLines, newLines := count(edits[h.first:h.last])
	fmt.Fprintf(b, "@@ -%s +%s @@\n", span(oldStart, oldLines), span(newStart, newLines))
	for _, e := range edits[h.first:h.last] {
		fmt.Fprintf(b, "%c%s\n", e.op, e.line)
	}
}

// count is how many lines of the old and of the new text the edits cover.
func count(edits []edit) (old, new int) {
	for _, e := range edits {
		if e.op != '+' {
			old++
		}
		if e.op != '-' {
			new++
		}
	}
	return old, new
}

// span is a range of lines after the first before of them, as diff writes it: an empty one names the line before it.
func span(before, lines int) string {
	if lines == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, lines)
}
