package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxManifest is the kubelet's bound of a manifest file.
const maxManifest = 10 << 20

// source reads the pods of a manifest directory. It follows the kubelet's (pkg/kubelet/config/file.go): files by name,
// of two that name the same pod the later wins, and a file that can not be run any more keeps its pod until the
// next relist.
type source struct {
	dir  string
	read func(name string, data []byte) (pod, []Problem)
	good map[string]pod // the last content of a file that could be run
}

// listing is what a manifest directory asks for.
type listing struct {
	pods  map[string]pod // by key
	files []FileState    // by name
}

// list reads every file. A relist forgets what the files that can not be run now held before. A directory that does not
// exist holds nothing; any other error means that nothing is known.
func (s *source) list(relist bool) (listing, error) {
	names, err := s.names()
	if err != nil {
		return listing{}, fmt.Errorf("list manifests: %w", err)
	}
	l := listing{pods: map[string]pod{}}
	good := map[string]pod{}
	for _, name := range names {
		p, problems := s.file(name)
		last, known := s.good[name]
		switch {
		case len(problems) == 0:
			good[name] = p
		case known && !relist:
			good[name] = last
		}
		l.add(FileState{File: name, Problems: problems}, good)
	}
	s.good = good
	return l, nil
}

// add notes a file; its pod, if it has one, displaces that of the same name in an earlier file.
func (l *listing) add(file FileState, good map[string]pod) {
	if p, ok := good[file.File]; ok {
		file.Pod = p.key()
		l.shadow(file)
		l.pods[p.key()] = p
	}
	l.files = append(l.files, file)
}

func (l *listing) shadow(by FileState) {
	for i := range l.files {
		if l.files[i].Pod == by.Pod {
			l.files[i].Shadowed = by.File
		}
	}
}

// names are those of all entries that do not begin with a dot, sorted.
func (s *source) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// file reads one file; links are followed.
func (s *source) file(name string) (pod, []Problem) {
	data, err := readManifest(filepath.Join(s.dir, name))
	if err != nil {
		return pod{}, []Problem{{Why: err.Error()}}
	}
	return s.read(name, data)
}

func readManifest(path string) ([]byte, error) {
	// Opening a named pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		return nil, fmt.Errorf("is larger than %d bytes", maxManifest)
	}
	return data, err
}
