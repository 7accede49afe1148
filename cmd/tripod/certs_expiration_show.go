package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"tripod.dev/tripod/phases"
)

// soon is when a certificate's end is near: a kubelet would have renewed its own by then.
const soon = 30 * 24 * time.Hour

// expirationDocument is that of kubeadm's output API, with fields that it does not have.
type expirationDocument struct {
	metav1.TypeMeta `json:",inline"`
	Certificates    []expirationEntry `json:"certificates"`
	Authorities     []expirationEntry `json:"certificateAuthorities"`
}

type expirationEntry struct {
	Name string `json:"name"`
	// ExpirationDate is null for what is not there.
	ExpirationDate metav1.Time `json:"expirationDate"`
	// ResidualTime is in seconds, less than 0 after the end.
	ResidualTime      int64  `json:"residualTime"`
	ExternallyManaged bool   `json:"externallyManaged"`
	CAName            string `json:"caName,omitempty"`
	Missing           bool   `json:"missing"`

	// File, InUse and Error are not kubeadm's. InUse is left out where nobody serves it, or nobody answers.
	File  string `json:"file"`
	InUse *bool  `json:"inUse,omitempty"`
	Error string `json:"error,omitempty"`
}

func expirationDocumentOf(all []phases.Expiration, now time.Time) expirationDocument {
	d := expirationDocument{TypeMeta: outputType("CertificateExpirationInfo")}
	for _, e := range all {
		entry := expirationEntry{Name: e.Name, ExternallyManaged: e.External, CAName: e.Authority, Missing: e.Missing, File: e.File, InUse: e.Used}
		if !e.NotAfter.IsZero() {
			entry.ExpirationDate, entry.ResidualTime = metav1.NewTime(e.NotAfter), int64(e.NotAfter.Sub(now).Seconds())
		}
		if e.Err != nil {
			entry.Error = e.Err.Error()
		}
		if e.IsAuthority() {
			d.Authorities = append(d.Authorities, entry)
			continue
		}
		d.Certificates = append(d.Certificates, entry)
	}
	return d
}

// expirationTables has kubeadm's two tables, the first with a column more.
func expirationTables(to io.Writer, all []phases.Expiration, now time.Time) error {
	leafs := expirationTable{head: "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED\tIN USE"}
	authorities := expirationTable{head: "CERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED"}
	for _, e := range all {
		until := []string{e.Name, e.NotAfter.UTC().Format("Jan 02, 2006 15:04 MST"), residual(e, now)}
		external, used := yesNo(&e.External), yesNo(e.Used)
		switch {
		case e.Missing:
			until, external, used = []string{"!MISSING! " + e.Name, "", ""}, "", ""
		case e.Err != nil:
			until, external, used = []string{"!UNREADABLE! " + e.Name, "", ""}, "", ""
		}
		if e.IsAuthority() {
			authorities.add(urgency(e, now), append(until, external)...)
			continue
		}
		leafs.add(urgency(e, now), append(until, e.Authority, external, used)...)
	}
	if err := leafs.print(to); err != nil {
		return err
	}
	fmt.Fprintln(to)
	return authorities.print(to)
}

// residual is the time that is left, in kubeadm's words.
func residual(e phases.Expiration, now time.Time) string {
	if !e.NotAfter.After(now) {
		return "expired"
	}
	return duration.ShortHumanDuration(e.NotAfter.Sub(now))
}

// urgency is the colour of a line: red for what keeps things from working, yellow for what soon will.
func urgency(e phases.Expiration, now time.Time) style {
	switch {
	case e.Err != nil || e.Within(now):
		return red
	case e.Within(now.Add(soon)):
		return yellow
	}
	return ""
}

// yesNo is - for what nobody knows.
func yesNo(b *bool) string {
	switch {
	case b == nil:
		return "-"
	case *b:
		return "yes"
	}
	return "no"
}

// expirationTable is a table with a colour a line, which its writer must not see: it would count it as text.
type expirationTable struct {
	head   string
	rows   []string
	styles []style
}

func (t *expirationTable) add(colour style, cells ...string) {
	t.rows, t.styles = append(t.rows, strings.Join(cells, "\t")), append(t.styles, colour)
}

func (t *expirationTable) print(to io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 10, 4, 3, ' ', 0)
	fmt.Fprintln(w, strings.Join(append([]string{t.head}, t.rows...), "\n"))
	if err := w.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimRight(text.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if i > 0 && t.styles[i-1] != "" {
			line = t.styles[i-1].in(to, line)
		}
		fmt.Fprintln(to, line)
	}
	return nil
}
