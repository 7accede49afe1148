package phases

import (
	"testing"
	"testing/synctest"
)

// torn is what a write that was cut off leaves of a component's manifest.
func torn(component string) func(*Master) {
	return func(m *Master) {
		text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + component + "\n  namespace: kube-system\nspec:\n  containers:\n"
		m.Manifests[component+".yaml"] = []byte(text)
	}
}

// A manifest that was cut off is an error with its path and the way out where its content counts, and is replaced where it does not.
func TestTornManifest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := grown(t, "")
		for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			renewed := s.living(t, torn(component), func(m *Master) { m.Living.Kept = true })
			_, err := renewed.wantedContainer(component)
			mentioned(t, err, manifestPath(renewed, component), "hint: put the whole file back, or move it out")
			_, err = changed(component)(renewed)
			mentioned(t, err, manifestPath(renewed, component))

			if c, err := s.living(t, torn(component)).wantedContainer(component); err != nil || c.Name != component {
				t.Errorf("%s is not made anew: %v", component, err)
			}
		}
		torn := s.living(t, torn("kube-apiserver"))
		_, err := torn.here()
		mentioned(t, err, manifestPath(torn, "kube-apiserver"), "it is not whole")
	})
}

// A generation whose copy was cut off can't be gone back to, which names it.
func TestTornGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := grown(t, "").living(t)
		back := m.newest()
		delete(back.Components, "kube-scheduler")
		m.Living.Back = &back
		_, err := m.wantedContainer("kube-scheduler")
		mentioned(t, err, generationPath(m.Config, back.Number), "tripod history")
	})
}

func mentioned(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		mentions(t, err, word)
	}
}
