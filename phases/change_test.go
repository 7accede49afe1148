package phases

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod.dev/tripod/internal/host"
)

func TestServes(t *testing.T) {
	t.Parallel()
	file := func(mode fs.FileMode, data, link string) host.File {
		return host.File{Path: "/f", Mode: mode, Data: []byte(data), Link: link}
	}
	for name, tt := range map[string]struct {
		old, wanted host.File
		want        bool
	}{
		"the same":                  {file(0o600, "x", ""), file(0o600, "x", ""), true},
		"other content":             {file(0o600, "y", ""), file(0o600, "x", ""), false},
		"readable by more":          {file(0o644, "x", ""), file(0o600, "x", ""), false},
		"readable by fewer":         {file(0o600, "x", ""), file(0o644, "x", ""), true},
		"another group's":           {file(0o640, "x", ""), file(0o604, "x", ""), false},
		"a link to the same":        {file(0o777, "x", "/vault/f"), file(0o600, "x", ""), true},
		"a link to another":         {file(0o777, "y", "/vault/f"), file(0o600, "x", ""), false},
		"a file in a link's place":  {file(0o600, "", ""), file(0, "", "g"), false},
		"a link that leads astray":  {file(0o777, "", "h"), file(0, "", "g"), false},
		"a link that leads there":   {file(0o777, "", "g"), file(0, "", "g"), true},
		"empty where there is none": {host.File{}, file(0o600, "", ""), true},
	} {
		if got := serves(tt.old, tt.wanted); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	key, crt := host.File{Path: "/d/a.yaml", Mode: 0o600, Data: []byte("k")}, host.File{Path: "/d/b.yaml", Mode: 0o644, Data: []byte("c")}
	other := host.File{Path: key.Path, Mode: 0o600, Data: []byte("o")}
	for name, tt := range map[string]struct {
		on   []host.File
		want string
		old  []host.File
	}{
		"nothing there":    {nil, "create /d/a.yaml (0600) and b.yaml (0644)", nil},
		"all there":        {[]host.File{key, crt}, "", nil},
		"one there":        {[]host.File{crt}, "replace /d/a.yaml (0600) and b.yaml (0644)", []host.File{crt}},
		"one is different": {[]host.File{other, crt}, "replace /d/a.yaml (0600) and b.yaml (0644)", []host.File{other, crt}},
	} {
		m := Master{Facts: Facts{Files: map[string]host.File{}}}
		for _, f := range tt.on {
			m.Files[f.Path] = f
		}
		changes := write(m, key, crt)
		var c Change
		if len(changes) > 0 {
			c = changes[0]
		}
		got := ""
		if len(changes) == 1 {
			got = c.String()
		}
		if diff := cmp.Diff(tt.want, got) + cmp.Diff(tt.old, c.old); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// What is right already is not in the diff, even if it is written along.
		if strings.Contains(c.Diff, "b.yaml") != (len(tt.on) == 0) {
			t.Errorf("%s: %s", name, c.Diff)
		}
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	file := func(name string) Change { return Change{Verb: "create", Files: []host.File{{Path: name}}} }
	start := Change{Verb: "start", do: func(context.Context, Site) error { return nil }}
	changes := []Change{file("a"), file("b"), start, file("c"), start, start, file("d"), file("e")}
	var got []string
	for _, c := range together(changes) {
		line := c.Verb
		for _, f := range c.Files {
			line += " " + f.Path
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"create a b", "start", "create c", "start", "start", "create d e"}, got); diff != "" {
		t.Error(diff)
	}
	if len(changes[0].Files) != 1 {
		t.Error("the plan itself was changed")
	}
}

// Done twice is done once.
func TestDoTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	site := Site{Host: host.Open(dir)}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	old, _, err := site.Host.Read("/a")
	if err != nil {
		t.Fatal(err)
	}
	m := Master{Facts: Facts{Files: map[string]host.File{"/a": old}}}
	c := write(m, host.File{Path: "/a", Mode: 0o600, Data: []byte("new")}, host.File{Path: "/deep/b", Mode: 0o600, Data: []byte("new")})[0]
	for range 2 {
		if err := c.Do(t.Context(), site); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + " " + info.Mode().String()
	}
	if got := read("a") + ", " + read("deep/b"); got != "new -rw-------, new -rw-------" {
		t.Error(got)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	m := freshMaster()
	changes := directory(m, m.Paths.EtcdData, 0o700)
	if len(changes) != 1 || changes[0].String() != "create /var/lib/etcd/ (0700)" {
		t.Fatalf("got %v", changes)
	}
	dir := t.TempDir()
	if err := changes[0].Do(t.Context(), Site{Host: host.Open(dir)}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "var/lib/etcd")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	m.Survey.Dirs[m.Paths.EtcdData] = host.Dir{Exists: true}
	if changes := directory(m, m.Paths.EtcdData, 0o700); changes != nil {
		t.Errorf("got %v", changes)
	}
}
