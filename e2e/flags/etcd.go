//go:build ignore

// Etcd prints the names of all flags that an etcd server accepts, those included that --help hides, one a line,
// from the source in the directory of module go.etcd.io/etcd/server/v3 that is its argument. etcd has no
// package that could be asked: until 3.6 its flag set is internal to its main package.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	constants, names := map[string]string{}, map[string]bool{}
	for _, name := range []string{"embed/config.go", "etcdmain/config.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(os.Args[1], name), nil, 0)
		if err != nil {
			log.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			collect(n, constants, names)
			return true
		})
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Println(name)
	}
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
