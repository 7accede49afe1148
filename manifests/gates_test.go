package manifests

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/config"
)

// A gate that a component does not know is told with its field before the component ends at once by it.
func TestFeatureGates(t *testing.T) {
	t.Parallel()
	kubernetes, before, etcd := config.Version{Major: 1, Minor: 36}, config.Version{Major: 1, Minor: 34}, config.Version{Major: 3, Minor: 6}
	for name, tt := range map[string]struct {
		component string
		version   config.Version
		value     string
		want      []string
	}{
		"known":            {"kube-apiserver", kubernetes, "AllAlpha=false,ContextualLogging=true,ReloadKubeletClientCAFile=false", nil},
		"of a program":     {"kube-scheduler", kubernetes, "kube:ContextualLogging=true", nil},
		"none":             {"kube-scheduler", kubernetes, "", nil},
		"misspelt":         {"kube-scheduler", kubernetes, "ContextualLoging=true", []string{"ContextualLogging"}},
		"of nobody":        {"kube-controller-manager", kubernetes, "AllBeta=true,NoSuchThingAtAll=true", []string{""}},
		"of a later one":   {"kube-apiserver", before, "ReloadKubeletClientCAFile=true", []string{""}},
		"etcd's":           {"etcd", etcd, "InitialCorruptCheck=true", nil},
		"not etcd's":       {"etcd", etcd, "ContextualLogging=true", []string{""}},
		"an unknown minor": {"kube-apiserver", config.Version{Major: 1, Minor: 12}, "Any=true", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var near []string
			for _, err := range checkGates(tt.component, tt.version, "field", tt.value) {
				near = append(near, err.(*UnknownGate).Near)
			}
			if diff := cmp.Diff(tt.want, near); diff != "" {
				t.Error(diff)
			}
		})
	}
	args := []config.Arg{{Name: "v", Value: "2"}, {Name: "feature-gates", Value: "Nonsense=true"}}
	errs := CheckArgs("kube-apiserver", kubernetes, args)
	const want = `apiServer.extraArgs[1].value: kube-apiserver 1.36 has no feature gate "Nonsense"` + "\n" +
		"hint: gates go when what they were for has become a matter of course: leave it out"
	if len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v", errs)
	}
	if !slices.IsSorted(Gates("kubernetes", "1.36")) {
		t.Error("the table is not sorted")
	}
}
