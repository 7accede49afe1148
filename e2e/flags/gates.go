package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// gateSources are where the components of a Kubernetes version define their feature gates, by module.
func gateSources() map[string]string {
	return map[string]string{
		"k8s.io/kubernetes":              "pkg/features",
		"k8s.io/apiserver":               "pkg/features",
		"k8s.io/apiextensions-apiserver": "pkg/features",
		"k8s.io/controller-manager":      "pkg/features",
		"k8s.io/client-go":               "features",
		"k8s.io/component-base":          ".",
	}
}

// gates are the names of all feature gates that some component of a Kubernetes version, kubelet and kube-proxy among them, knows,
// from the source of its modules: most of them are shared by all, and none tells its own without being started.
func (r repository) gates(version string) ([]byte, error) {
	names := map[string]bool{"AllAlpha": true, "AllBeta": true}
	for module, dir := range gateSources() {
		v := version
		if module != "k8s.io/kubernetes" {
			v = "v0" + strings.TrimPrefix(version, "v1")
		}
		source, err := r.module(module, v)
		if err != nil {
			return nil, err
		}
		if err := constantsOf(filepath.Join(source, dir), "Feature", names); err != nil {
			return nil, err
		}
	}
	return lines(names), nil
}

// etcdGates are those of an etcd server; one without a package of them, as 3.5, knows none.
func (r repository) etcdGates(version string) ([]byte, error) {
	source, err := r.module("go.etcd.io/etcd/server/v3", version)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	err = constantsOf(filepath.Join(source, "features"), "Feature", names)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names["AllAlpha"], names["AllBeta"] = true, true
	return lines(names), err
}

func lines(names map[string]bool) []byte {
	return []byte(strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n")
}

// constantsOf adds the string constants of a type, by its bare name, that are defined below a directory, tests left out; in a
// package of features those without a type, too, as they are gates by the table that they are in.
func constantsOf(dir, kind string, names map[string]bool) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && (named(spec.Type, kind) || spec.Type == nil && filepath.Base(dir) == "features") {
				for _, value := range spec.Values {
					add(names, text(value, nil))
				}
			}
			return true
		})
		return nil
	})
}

// named says whether a type's name, without its package, is that.
func named(e ast.Expr, name string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == name
	case *ast.SelectorExpr:
		return e.Sel.Name == name
	}
	return false
}
