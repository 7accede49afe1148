package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Complaint is one thing that is wrong with a configuration, and where it was written.
// It never repeats a secret (tokens, certificate keys).
type Complaint struct {
	// Source is the file as the caller named it, or "--flag"; empty for a value that nobody wrote.
	Source string
	// Document is the number of the document in the file, from 1; 0 outside of a file.
	Document int
	// Line is that of the file, from 1; 0 where it is not known.
	Line int
	// Field is the path of the field: etcd.local.extraArgs[2].name.
	Field   string
	Problem string
	// Hint is what to do about it, mostly empty.
	Hint string
}

// Error is "init.yaml: document 2, line 14: networking.podSubnet: ...", with the hint on a line of its own.
func (c Complaint) Error() string {
	parts := slices.DeleteFunc([]string{c.Source, c.place(), c.Field, c.Problem}, func(s string) bool { return s == "" })
	text := strings.Join(parts, ": ")
	if c.Hint == "" {
		return text
	}
	return text + "\n  hint: " + c.Hint
}

func (c Complaint) place() string {
	switch {
	case c.Document == 0:
		return ""
	case c.Line == 0:
		return fmt.Sprintf("document %d", c.Document)
	}
	return fmt.Sprintf("document %d, line %d", c.Document, c.Line)
}

// wrong is a complaint that does not know yet where its field was written.
func wrong(field, format string, args ...any) Complaint {
	return Complaint{Field: field, Problem: fmt.Sprintf(format, args...)}
}

func (c Complaint) hint(format string, args ...any) Complaint {
	c.Hint = fmt.Sprintf(format, args...)
	return c
}

// at is field[index].
func at(field string, index int) string { return fmt.Sprintf("%s[%d]", field, index) }

// origin is where a value was written: a line of a document, or a flag.
type origin struct {
	source         string
	document, line int
}

// origins are by field path. InitConfiguration and ClusterConfiguration share no field, so one map holds both.
type origins map[string]origin

// locate fills in where the field was written; a field that is missing lies where its parent does.
func (o origins) locate(c Complaint) Complaint {
	for path := c.Field; path != ""; path = parent(path) {
		if from, ok := o[path]; ok {
			c.Source, c.Document, c.Line = from.source, from.document, from.line
			return c
		}
	}
	return c
}

// parent is the path without its last field or index.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// joined is nil, or all complaints as one *multierror.Error, sorted by document and line.
func joined(complaints []Complaint) error {
	if len(complaints) == 0 {
		return nil
	}
	slices.SortStableFunc(complaints, func(a, b Complaint) int {
		return cmp.Or(cmp.Compare(a.Document, b.Document), cmp.Compare(a.Line, b.Line))
	})
	all := &multierror.Error{ErrorFormat: lines}
	for _, c := range complaints {
		all.Errors = append(all.Errors, c)
	}
	return all
}

func lines(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}
