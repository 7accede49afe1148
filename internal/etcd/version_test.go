package etcd

import (
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to, storage, refused string }{
		{"3.6.6", "3.6.8-0", "3.6.0", ""},
		{"3.6.8", "3.6.6", "3.6.0", ""},
		{"3.5.26", "3.6.8", "", ""},
		{"3.5.25", "3.6.8", "", "upgrade etcd to 3.5.26 first"},
		{"3.5.9", "3.5.26", "", ""},
		{"3.4.30", "3.6.8", "", "upgrade it to 3.5 before"},
		{"3.6.8", "3.5.26", "3.6.0", "its data are stored for 3.6.0"},
		{"3.6.8", "3.5.26", "3.5.0", ""},
		{"3.6.8", "3.5.26", "", "etcdctl downgrade enable 3.5"},
		{"3.6.8", "mine", "", ""},
		{"", "3.6.8", "", ""},
	} {
		err := Path(tt.from, tt.to, tt.storage)
		switch {
		case tt.refused == "" && err != nil:
			t.Errorf("%s to %s: %v", tt.from, tt.to, err)
		case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%s to %s: got %v, want one with %q", tt.from, tt.to, err, tt.refused)
		}
	}
}
