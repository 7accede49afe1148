package phases

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The data of a removed member are cleared away, and what is mounted below them is not: nothing is touched then, its manifest included.
func TestClearDataMounted(t *testing.T) {
	s := newStage(t, "")
	m := s.gather(t)
	m.Membership = membership(0xa, 0xb)
	mounted, other := filepath.Join(m.Paths.EtcdData, "backups"), t.TempDir()
	precious, manifest := filepath.Join(other, "backup.db"), manifestPath(m, "etcd")
	for path, dir := range map[string]string{precious: other, manifest: m.Paths.Manifests, mounted: mounted} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if path != dir {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.Mount(other, mounted, "", unix.MS_BIND, ""); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mounted, unix.MNT_DETACH) })
	if err := m.clearData().do(t.Context(), s.site); err == nil || !strings.Contains(err.Error(), mounted+" is mounted below") {
		t.Errorf("got %v", err)
	}
	for _, path := range []string{precious, manifest} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
