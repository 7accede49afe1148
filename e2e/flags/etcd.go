package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// etcdFlags are the names of all flags that an etcd server accepts, those included that --help hides, one a line, from the
// source of its module. There is no package that could be asked: etcd's flag set is internal to its main package.
func etcdFlags(source string) ([]byte, error) {
	constants, names := map[string]string{}, map[string]bool{}
	for _, name := range []string{"embed/config.go", "etcdmain/config.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(source, name), nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			collect(n, constants, names)
			return true
		})
	}
	return []byte(strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n"), nil
}

// collect takes down constants, which some flags have as their names, the list of flags that are accepted and
// ignored, and calls of the flag package.
func collect(n ast.Node, constants map[string]string, names map[string]bool) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, value := range n.Values {
			if list, ok := value.(*ast.CompositeLit); ok && n.Names[i].Name == "ignored" {
				for _, e := range list.Elts {
					add(names, text(e, nil))
				}
			}
			constants[n.Names[i].Name] = text(value, nil)
		}
	case *ast.CallExpr:
		call, ok := n.Fun.(*ast.SelectorExpr)
		if ok && (strings.HasSuffix(call.Sel.Name, "Var") || call.Sel.Name == "AddFlag") && len(n.Args) > 1 {
			add(names, text(n.Args[1], constants))
		}
	}
}

func add(names map[string]bool, name string) {
	if name != "" && !strings.HasPrefix(name, "test.") {
		names[name] = true
	}
}

// text is the string that an expression stands for, "" if it is none.
func text(e ast.Expr, constants map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	case *ast.Ident:
		return constants[e.Name]
	}
	return ""
}
