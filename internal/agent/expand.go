package agent

import "strings"

// expand replaces $(NAME) by the variable's value as the kubelet does in commands, arguments and values
// of variables: an unknown name stays as it is written, $$ is one $.
func expand(text string, env map[string]string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		var replaced string
		replaced, text = reference(after, env)
		out.WriteString(replaced)
	}
}

// reference is what stands for a $ and what follows it, and the text behind that.
func reference(after string, env map[string]string) (replaced, rest string) {
	if rest, escaped := strings.CutPrefix(after, "$"); escaped {
		return "$", rest
	}
	inner, open := strings.CutPrefix(after, "(")
	name, rest, closed := strings.Cut(inner, ")")
	if !open || !closed {
		return "$", after
	}
	if value, known := env[name]; known {
		return value, rest
	}
	return "$(" + name + ")", rest
}

// expandAll expands each of the texts.
func expandAll(texts []string, env map[string]string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = expand(text, env)
	}
	return out
}
