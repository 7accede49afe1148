package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
)

// unwanted is what the product's code does not call, and what it calls instead. Tests may.
type unwanted struct{ call, instead string }

func (u unwanted) is(s *ast.SelectorExpr) bool {
	of, name, qualified := strings.Cut(u.call, ".")
	if !qualified {
		return s.Sel.Name == of
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == of && s.Sel.Name == name
}

// calls checks that the product's code keeps to the one way of doing what is easily done wrong.
func (c *checks) calls() {
	found, err := unwantedCalls(c.root,
		unwanted{"RemoveAll", "host.Clear and host.Delete leave alone what is mounted below"}, // of os, and of an os.Root
	)
	if err == nil && len(found) > 0 {
		err = errors.New("these calls have a better way")
	}
	c.verdict("calls", []byte(strings.Join(found, "")), err)
}

// unwantedCalls are places in the module at root, a line each.
func unwantedCalls(root string, calls ...unwanted) (places []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name() == "e2e" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			for _, u := range calls {
				if ok && u.is(s) {
					places = append(places, fmt.Sprintf("%s: %s: %s\n", files.Position(s.Sel.Pos()), s.Sel.Name, u.instead))
				}
			}
			return true
		})
		return nil
	})
	return places, err
}
