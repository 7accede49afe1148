package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/config"
)

// Whatever a file holds, reading it takes a bounded amount of memory, and what is refused is refused by name.
func TestBounds(t *testing.T) {
	const head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
	key := strings.Repeat("k", 80_000)
	nested, indent := "", ""
	for range 90 {
		nested += indent + strings.Repeat("k", 900) + ":\n"
		indent += " "
	}
	for name, tt := range map[string]struct{ text, problem string }{
		"a long key above a list":     {head + "? " + key + "\n: [" + strings.Repeat("1,", 4000) + "1]\n", "too long keys"},
		"a long key above a mapping":  {head + "? " + key + "\n: {" + numbered(4000) + "}\n", "too long keys"},
		"the same key, over and over": {head + "? " + key + "\n: {" + strings.Repeat("a: 1,", 4000) + "}\n", "too long keys"},
		"keys within keys":            {head + nested + indent + "x: [" + strings.Repeat("1,", 9000) + "1]\n", "too long keys"},
		"lists within lists":          {head + "a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "values more than 100 deep"},
		"aliases of aliases":          {head + "a: &a [1,1,1,1,1,1,1,1,1]\n" + doubled(20), "more than 100000 values"},
		"unknown fields":              {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n? " + strings.Repeat("x", 500_000) + "\n: 1\n", "unknown field"},
		"too many bytes":              {head + "a: " + strings.Repeat("x", 2<<20), "the file is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := config.Validate([]byte(tt.text), "x.yaml")
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %.300v, want %q", err, tt.problem)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 400 {
				t.Errorf("a file of %d KiB takes %d MiB", len(tt.text)>>10, took)
			}
		})
	}
}

func numbered(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("k%d: 1", i))
	}
	return strings.Join(all, ",")
}

// doubled are n aliases, each of twice what the one before holds.
func doubled(n int) string {
	text := ""
	for i := range n {
		text += fmt.Sprintf("%[2]s: &%[2]s [*%[1]s, *%[1]s]\n", string(rune('a'+i)), string(rune('b'+i)))
	}
	return text
}

// A file is not read further than is needed to refuse it.
func TestReadFileTooLarge(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.yaml")
	f, err := os.Create(path)
	if err == nil {
		err = f.Truncate(1 << 40)
	}
	if err != nil {
		t.Skip("no room for holes here: ", err)
	}
	defer f.Close()
	data, err := config.ReadFile(path)
	if err != nil || len(data) > 2<<20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := config.Validate(data, path); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
}
