package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"tripod.dev/tripod/internal/host"
	"tripod.dev/tripod/phases"
)

// somePlan has a step of every kind.
func somePlan() []phases.Step {
	proof := phases.Proof{Component: "etcd", Attempt: func(context.Context, *phases.Prober) error { return nil }}
	return []phases.Step{
		{Phase: "preflight"},
		{Phase: "certs", Changes: []phases.Change{{
			Verb: "create", What: "/etc/kubernetes/pki/ca.key and ca.crt", Diff: "+/etc/kubernetes/pki/ca.key: private key sha256:00\n",
			Files: []host.File{{Path: "/etc/kubernetes/pki/ca.key", Mode: 0o600, Data: []byte("k")}, {Path: "/etc/kubernetes/pki/ca.crt", Mode: 0o644}},
		}}},
		{Phase: "kubelet-start", Changes: []phases.Change{{Verb: "start", What: "kubelet"}}},
		{Phase: "etcd/local", Proof: proof, Changes: []phases.Change{{
			Verb: "replace", What: "/etc/kubernetes/manifests/etcd.yaml", Diff: "--- old\n+++ new\n-a\n+b\n c\n",
			Files: []host.File{{Path: "/etc/kubernetes/manifests/etcd.yaml", Mode: 0o600, Data: []byte("b")}},
		}}},
		{Phase: "control-plane/scheduler", Proof: proof, Unproved: true},
		{Phase: "wait-control-plane", Proof: phases.Proof{Attempt: proof.Attempt}},
	}
}

func TestShowPlan(t *testing.T) {
	t.Parallel()
	unfit := &phases.PreflightError{Err: multierror.Append(nil, errors.New("[NumCPU] 1 CPU"), errors.New("[Mem] too little\nhint: buy some"))}
	for name, tt := range map[string]struct {
		show  showPlan
		steps []phases.Step
		err   error
	}{
		"dry-run": {show: showPlan{dryRun: true}, steps: somePlan()},
		"diff":    {show: showPlan{diff: true}, steps: somePlan()},
		"json":    {show: showPlan{dryRun: true, output: "json"}, steps: somePlan()},
		"nothing": {show: showPlan{dryRun: true}, steps: []phases.Step{{Phase: "preflight"}, somePlan()[5]}},
		"unfit":   {show: showPlan{dryRun: true}, steps: somePlan()[:3], err: unfit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, notes bytes.Buffer
			tt.show.to, tt.show.notes = &out, &notes
			if err := tt.show.plan(tt.steps, tt.err); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			if notes.Len() > 0 {
				text += "--- standard error\n" + notes.String()
			}
			golden(t, filepath.Join("testdata", "plan-"+name+".txt"), text)
		})
	}
}

// What makes no plan at all is an error, not something to show.
func TestShowNoPlan(t *testing.T) {
	t.Parallel()
	bad := &phases.InputError{Err: errors.New("x")}
	if err := (showPlan{dryRun: true}).plan(nil, bad); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}

func TestShowPlanWrites(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	s := showPlan{dryRun: true, writeTo: dir, to: new(bytes.Buffer)}
	if err := s.plan(somePlan(), nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && (path == dir || info.Mode().IsRegular()) {
			name, _ := filepath.Rel(dir, path)
			got[name] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{".": "drwx------", "etc/kubernetes/pki/ca.key": "-rw-------",
		"etc/kubernetes/pki/ca.crt": "-rw-r--r--", "etc/kubernetes/manifests/etcd.yaml": "-rw-------"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
