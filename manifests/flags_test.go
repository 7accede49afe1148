package manifests

import (
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

func TestCheckArgs(t *testing.T) {
	t.Parallel()
	kubernetes, etcd := config.Version{Major: 1, Minor: 36, Patch: 3}, config.Version{Major: 3, Minor: 6, Patch: 8}
	for name, test := range map[string]struct {
		component string
		version   config.Version
		flag      string
		want      string
	}{
		"known":                    {"kube-apiserver", kubernetes, "audit-log-path", ""},
		"known, hidden by --help":  {"kube-controller-manager", kubernetes, "node-sync-period", ""},
		"known, with underscores":  {"kube-scheduler", kubernetes, "leader_elect", ""},
		"known, of the logger":     {"kube-apiserver", kubernetes, "log-json-split-stream", ""},
		"known to etcd":            {"etcd", etcd, "quota-backend-bytes", ""},
		"known to etcd, old":       {"etcd", etcd, "experimental-compaction-batch-limit", ""},
		"known to etcd 3.5":        {"etcd", config.Version{Major: 3, Minor: 5}, "experimental-watch-progress-notify-interval", ""},
		"misspelt":                 {"kube-apiserver", kubernetes, "audit-log-pth", `apiServer.extraArgs[1].name: kube-apiserver 1.36 has no flag "audit-log-pth"; did you mean "audit-log-path"?`},
		"with dashes":              {"kube-scheduler", kubernetes, "--leader-elect", `scheduler.extraArgs[1].name: kube-scheduler 1.36 has no flag "--leader-elect"; did you mean "leader-elect"?`},
		"of another component":     {"kube-controller-manager", kubernetes, "audit-policy-file", `controllerManager.extraArgs[1].name: kube-controller-manager 1.36 has no flag "audit-policy-file"` + "\nhint:"},
		"of a newer version":       {"kube-apiserver", config.Version{Major: 1, Minor: 35, Patch: 4}, "tls-curve-preferences", "kube-apiserver 1.35 has no flag"},
		"etcd takes no underscore": {"etcd", etcd, "snapshot_count", `etcd.local.extraArgs[1].name: etcd 3.6 has no flag "snapshot_count"; did you mean "snapshot-count"?`},
		"of a newer etcd":          {"etcd", config.Version{Major: 3, Minor: 5}, "feature-gates", "etcd 3.5 has no flag"},
		"version not known":        {"etcd", config.Version{Major: 3, Minor: 9}, "name", "etcd.local.extraArgs: the flags of etcd 3.9 are not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []config.Arg{{Name: "tls-min-version"}, {Name: test.flag, Value: "x"}}
			errs := CheckArgs(test.component, test.version, args)
			switch {
			case test.want == "" && len(errs) > 0:
				t.Errorf("got %v", errs)
			case test.want != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), test.want)):
				t.Errorf("got %v, want %q", errs, test.want)
			}
		})
	}
	if errs := CheckArgs("etcd", config.Version{}, nil); errs != nil {
		t.Errorf("without arguments there is nothing to know: %v", errs)
	}
}
