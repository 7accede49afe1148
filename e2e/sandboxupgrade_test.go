package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/e2e/lab"
)

// A sandbox is upgraded one master after the other, and nobody who calls it through its balancer notices.
func TestSandboxUpgrade(t *testing.T) {
	for _, masters := range []int{1, 3} {
		if masters == 1 && !drill() {
			continue
		}
		t.Run(fmt.Sprint(masters), func(t *testing.T) {
			l := newLab(t)
			s := upOld(t, l, "old", masters)
			writeConfigMap(t, s.Kubectl, "kept")
			upgrade := []string{"--to", lab.Default, "--bin-dir", l.Components(lab.Default)}
			if masters == 1 {
				t.Log(must(t)(s.Run(t.Context(), "upgrade", upgrade...)))
			} else {
				wantUnnoticed(t, s, func() { t.Log(must(t)(s.Run(t.Context(), "upgrade", upgrade...))) })
			}
			wantReady(t, s.Kubectl)
			wantConfigMap(t, s.Kubectl, "kept")
			wantSandboxOf(t, l, s, masters, lab.Default)
			wantNotUpgradedAgain(t, s)
			wantNoChange(t, s) // up goes on with the version that it has
			wantSandboxOf(t, l, s, masters, lab.Default)
		})
	}
}

// wantNotUpgradedAgain wants a second upgrade to find nothing to do.
func wantNotUpgradedAgain(t *testing.T, s *lab.Sandbox) {
	t.Helper()
	before := rows(t, s)
	for _, e := range events(t, must(t)(s.Run(t.Context(), "upgrade", "--to", lab.Default, "-o", "json"))) {
		if e.Event == "changed" {
			t.Errorf("the second upgrade changes something: %+v", e)
		}
	}
	if diff := cmp.Diff(before, rows(t, s), withoutRole()); diff != "" {
		t.Errorf("the second upgrade changed what runs (-before +after):\n%s", diff)
	}
}

// wantUnnoticed calls the sandbox through its balancer while something is done, 50 times a second, and keeps a record of a few
// writes more: every call is answered, and what was acknowledged is there afterwards on every master.
func wantUnnoticed(t *testing.T, s *lab.Sandbox, do func()) {
	t.Helper()
	calls := callSandbox(t, s)
	w, err := s.StartWriter(t.Context(), 250*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	do()
	wantAnswered(t, calls)
	record := w.Stop()
	t.Logf("%d keys acknowledged, %d not, longest gap %s; last error: %v", len(record.Acknowledged), record.Failed, record.Gap, record.LastError)
	if len(record.Acknowledged) < 20 {
		t.Errorf("only %d keys were written", len(record.Acknowledged))
	}
	for _, m := range mastersOf(t, s) {
		if lost, err := w.Lost(t.Context(), "https://"+m.Address+":6443"); err != nil || len(lost) > 0 {
			t.Errorf("%s has lost %v, %v", m.Name, lost, err)
		}
	}
}

// upOld is a sandbox of the earlier minor version.
func upOld(t *testing.T, l lab.Lab, name string, masters int) *lab.Sandbox {
	t.Helper()
	s, err := l.NewSandbox(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Log(must(t)(s.Run(t.Context(), "up", "--masters", fmt.Sprint(masters), "--kubernetes-version", lab.PreviousMinor, "--bin-dir", l.Components(lab.PreviousMinor))))
	return s
}

// callSandbox begins to call a sandbox through its balancer, 50 times a second.
func callSandbox(t *testing.T, s *lab.Sandbox) *lab.Caller {
	t.Helper()
	calls, err := s.StartCaller(t.Context(), time.Second/50)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { calls.Stop() })
	return calls
}

// wantSandboxOf wants every process of the sandbox's masters to be of that version, and the cluster to say so.
func wantSandboxOf(t *testing.T, l lab.Lab, s *lab.Sandbox, masters int, version string) {
	t.Helper()
	for number := range masters {
		wantMasterOf(t, l, s, fmt.Sprintf("m%d", number+1), version)
	}
	config := must(t)(s.Kubectl(t.Context(), "--namespace=kube-system", "get", "configmap", "kubeadm-config", "--output=jsonpath={.data.ClusterConfiguration}"))
	if !strings.Contains(config, "kubernetesVersion: "+version) {
		t.Errorf("kubeadm-config says\n%s", config)
	}
}

// wantMasterOf wants every process of a master to be of that version, and status to say so.
func wantMasterOf(t *testing.T, l lab.Lab, s *lab.Sandbox, master, version string) {
	t.Helper()
	var status struct {
		Components []struct {
			Master, Component, Version string
			PID                        int
		}
	}
	if err := json.Unmarshal([]byte(must(t)(s.Run(t.Context(), "status", "-o", "json"))), &status); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range status.Components {
		if c.Master != s.Name+"-"+master {
			continue
		}
		seen++
		exe, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(c.PID), "exe"))
		if want := l.Component(version, c.Component); err != nil || c.Version != version || !sameFile(t, exe, want) {
			t.Errorf("%s of %s (%s): runs %s, want %s: %v", c.Component, c.Master, c.Version, exe, want, err)
		}
	}
	if seen != len(componentNames) {
		t.Errorf("%d components of %s", seen, master)
	}
}

func sameFile(t *testing.T, one, other string) bool {
	t.Helper()
	a, err := os.Stat(one)
	if err != nil {
		t.Error(err)
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}
