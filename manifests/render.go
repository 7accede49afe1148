package manifests

import (
	"bytes"
	"fmt"
	"strconv"
	"text/template"
	"text/template/parse"

	corev1 "k8s.io/api/core/v1"
)

// Render executes the text of a template with values and decodes the result as a pod. A value that
// is missing and a field that pods do not have are errors.
func Render(text string, values any) (*corev1.Pod, error) {
	data, err := Fill(text, values)
	if err != nil {
		return nil, err
	}
	pod, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("the template makes no pod: %w", err)
	}
	return pod, nil
}

// Fill executes the text of a template with values. Templates write values between double quotes; they are
// escaped, so that no value can end its string. A value that is missing is an error.
func Fill(text string, values any) ([]byte, error) {
	t, err := template.New("manifest").Option("missingkey=error").
		Funcs(template.FuncMap{escapeFunc: escape}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parsing the template: %w", err)
	}
	for _, each := range t.Templates() {
		escapeValues(each.Root)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return nil, fmt.Errorf("filling in the template: %w", err)
	}
	return out.Bytes(), nil
}

const escapeFunc = "escape"

// escape prints a value as it stands between double quotes. YAML knows all the escapes of Go.
func escape(value any) string {
	quoted := strconv.QuoteToASCII(fmt.Sprint(value))
	return quoted[1 : len(quoted)-1]
}

// escapeValues appends escape to every pipeline whose value is printed, as html/template does with its escapers.
func escapeValues(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand,
				Args:     []parse.Node{parse.NewIdentifier(escapeFunc)},
			})
		case *parse.IfNode:
			escapeValues(n.List)
			escapeValues(n.ElseList)
		case *parse.RangeNode:
			escapeValues(n.List)
			escapeValues(n.ElseList)
		case *parse.WithNode:
			escapeValues(n.List)
			escapeValues(n.ElseList)
		}
	}
}
