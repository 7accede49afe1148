package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/internal/sandbox"
	"tripod.dev/tripod/manifests"
	"tripod.dev/tripod/phases"
)

func newSandboxStatus() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "What runs in a sandbox",
		Example: "  tripod sandbox status -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", f.output, "text", "json"); err != nil {
				return err
			}
			s, err := f.load()
			if err != nil {
				return err
			}
			rows := status(cmd.Context(), s)
			if f.output == "json" {
				return printJSON(cmd.OutOrStdout(), map[string]any{"sandbox": s, "components": rows})
			}
			return statusTable(cmd.OutOrStdout(), rows)
		},
	}
	f.addName(cmd)
	f.addOutput(cmd, "text or json")
	return cmd
}

// componentStatus is a row of status.
type componentStatus struct {
	// Master is the node's name; "" for the balancer, which belongs to none.
	Master    string `json:"master,omitempty"`
	Component string `json:"component"`
	// Version is the Kubernetes version of what runs; of what does not run, that of the master.
	Version string `json:"version,omitempty"`
	// Role is that of an etcd member among several: leader, voter or learner.
	Role string `json:"role,omitempty"`
	// State is the container's, or stopped: on purpose, with its master.
	State    string     `json:"state"`
	PID      int        `json:"pid,omitempty"`
	Restarts int        `json:"restarts"`
	Since    *time.Time `json:"since,omitempty"`
	Revision string     `json:"revision,omitempty"`
	LastExit *int       `json:"lastExitCode,omitempty"`
	// Expires is when the first of its certificates ends.
	Expires *time.Time `json:"expires,omitempty"`
	Error   string     `json:"error,omitempty"`
}

// status asks the agents of every master and of the balancer, all at once.
func status(ctx context.Context, s sandbox.Sandbox) []componentStatus {
	members := roles(ctx, s)
	rows := make([][]componentStatus, 1+len(s.Masters))
	var all sync.WaitGroup
	if s.Endpoint.IsValid() {
		all.Go(func() {
			rows[0] = componentRows(ctx, agentSite(balancerAgent(s)).Runner, []componentStatus{{Component: "balancer"}})
		})
	}
	for i, m := range s.Masters {
		var of []componentStatus
		ends := phases.FirstEnds(expirations(s, m))
		for _, component := range manifests.Components() {
			row := componentStatus{Master: s.Node(m), Component: component, Version: s.Version(m), State: "stopped"}
			if end, known := ends[component]; known {
				row.Expires = &end
			}
			if component == "etcd" {
				row.Role = members[s.Node(m)]
			}
			of = append(of, row)
		}
		all.Go(func() { rows[i+1] = thatRun(s, m, masterRows(ctx, sandboxSite(s, m).Runner, m.Stopped, of)) })
	}
	all.Wait()
	return slices.Concat(rows...)
}

// masterRows are those of a master, as they are if it was stopped and nobody runs its pods.
func masterRows(ctx context.Context, runner host.Runner, stopped bool, rows []componentStatus) []componentStatus {
	if stopped {
		if err := runner.Alive(ctx); err != nil && !errors.Is(err, host.ErrHangs) {
			return rows
		}
	}
	return componentRows(ctx, runner, rows)
}

// componentRows fills in what one runner knows of its components. One that hangs is not asked again.
func componentRows(ctx context.Context, runner host.Runner, rows []componentStatus) []componentStatus {
	err := runner.Alive(ctx)
	for i, row := range rows {
		if errors.Is(err, host.ErrHangs) {
			rows[i].State, rows[i].Error = "unknown", err.Error()
			continue
		}
		rows[i] = componentRow(ctx, runner, row)
	}
	return rows
}

// versions are those of a sandbox's masters: one, or in the midst of an upgrade, each with the masters that have it.
func versions(s sandbox.Sandbox) string {
	of := map[string][]sandbox.Master{}
	for _, m := range s.Masters {
		of[s.Version(m)] = append(of[s.Version(m)], m)
	}
	all := slices.Sorted(maps.Keys(of))
	if len(all) == 1 {
		return all[0]
	}
	for i, version := range all {
		all[i] = fmt.Sprintf("%s (%s)", version, names(of[version]))
	}
	return strings.Join(all, ", ")
}

// componentRow fills in what the runner knows of the component.
func componentRow(ctx context.Context, runner host.Runner, row componentStatus) componentStatus {
	now, err := runner.Pod(ctx, row.Component)
	if err != nil {
		row.State, row.Error = "unknown", err.Error()
		return row
	}
	row.State, row.PID, row.Restarts, row.Revision = cmp.Or(string(now.State), "absent"), now.PID, now.Restarts, now.Revision
	if !now.StartedAt.IsZero() {
		row.Since = &now.StartedAt
	}
	if now.Exit != nil {
		row.LastExit = &now.Exit.Code
	}
	return row
}

func statusTable(to io.Writer, rows []componentStatus) error {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "MASTER\tVERSION\tCOMPONENT\tSTATE\tPID\tRESTARTS\tSINCE\tEXPIRES\tREVISION")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", cmp.Or(r.Master, "-"), cmp.Or(r.Version, "-"), strings.TrimSpace(r.Component+" "+r.Role),
			r.State, r.PID, r.Restarts, r.since(), r.expires(host.Now()), r.Revision)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return troubles(to, rows)
}

// troubles says below the table why something is not known, each reason once.
func troubles(to io.Writer, rows []componentStatus) error {
	var told []string
	for _, r := range rows {
		if r.Error == "" || slices.Contains(told, r.Error) {
			continue
		}
		told = append(told, r.Error)
		if _, err := fmt.Fprintf(to, "%s: %s\n", cmp.Or(r.Master, r.Component), r.Error); err != nil {
			return err
		}
	}
	return nil
}

func (r componentStatus) since() string {
	if r.Since == nil {
		return "-"
	}
	return time.Since(*r.Since).Round(time.Second).String()
}

// expires is the time that is left of its certificates.
func (r componentStatus) expires(now time.Time) string {
	switch {
	case r.Expires == nil:
		return "-"
	case !r.Expires.After(now):
		return "expired"
	}
	return duration.ShortHumanDuration(r.Expires.Sub(now))
}
