package config

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (n NodeRegistration) validate(m Machine) []Complaint {
	return slices.Concat(
		checkNodeName(n.Name),
		checkSocket(n.CRISocket, m.CRISockets),
		checkTaints(n.Taints),
		checkArgs("nodeRegistration.kubeletExtraArgs", n.KubeletExtraArgs),
		checkIgnored("nodeRegistration.ignorePreflightErrors", n.IgnorePreflightErrors),
		oneOf("nodeRegistration.imagePullPolicy", n.ImagePullPolicy, "Always", "IfNotPresent", "Never"),
	)
}

func checkNodeName(name string) []Complaint {
	const field = "nodeRegistration.name"
	if name == "" {
		return []Complaint{wrong(field, "this machine has no host name to take it from").hint("give it with --node-name")}
	}
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return []Complaint{wrong(field, "%q is not a DNS name (a-z, 0-9, - and .)", name).hint("give another with --node-name")}
	}
	return nil
}

func checkSocket(socket string, found []string) []Complaint {
	const field = "nodeRegistration.criSocket"
	if socket == "" {
		return []Complaint{wrong(field, "there are several container runtimes: %s", list(found)).hint("choose one with --cri-socket")}
	}
	if !strings.HasPrefix(socket, "unix:///") {
		return []Complaint{wrong(field, "%q is not of the form unix:///path", socket)}
	}
	return nil
}

func checkTaints(taints []Taint) []Complaint {
	var complaints []Complaint
	seen := map[[2]string]bool{}
	for i, taint := range taints {
		path := at("nodeRegistration.taints", i)
		if len(validation.IsQualifiedName(taint.Key)) > 0 {
			complaints = append(complaints, wrong(path+".key", "%q is not a label key", taint.Key))
		}
		if len(validation.IsValidLabelValue(taint.Value)) > 0 {
			complaints = append(complaints, wrong(path+".value", "%q is not a label value", taint.Value))
		}
		complaints = append(complaints, oneOf(path+".effect", taint.Effect, "NoSchedule", "PreferNoSchedule", "NoExecute")...)
		if same := [2]string{taint.Key, taint.Effect}; seen[same] {
			complaints = append(complaints, wrong(path, "the taint %s:%s is given twice", taint.Key, taint.Effect))
		} else {
			seen[same] = true
		}
	}
	return complaints
}

func checkIgnored(field string, names []string) []Complaint {
	if slices.Contains(names, "all") && len(names) > 1 {
		return []Complaint{wrong(field, `"all" leaves nothing for others to name`).hint("give all alone, or name the checks")}
	}
	if slices.Contains(names, "") {
		return []Complaint{wrong(field, "must not hold an empty name")}
	}
	return nil
}

// checkCertificateKey does not repeat the key, which is secret.
func checkCertificateKey(field, key string) []Complaint {
	if key == "" {
		return nil
	}
	if raw, err := hex.DecodeString(key); err != nil || len(raw) != 32 {
		return []Complaint{wrong(field, "must be 32 bytes in hex: 64 digits 0-9, a-f")}
	}
	return nil
}

// checkTokens does not repeat tokens either, but for their public first half.
func checkTokens(tokens []BootstrapToken) []Complaint {
	var complaints []Complaint
	seen := map[string]bool{}
	for i, token := range tokens {
		path := at("bootstrapTokens", i)
		complaints = append(complaints, token.validate(path)...)
		id, _, _ := strings.Cut(token.Token, ".")
		if seen[id] {
			complaints = append(complaints, wrong(path+".token", "the part before the dot is that of another token"))
		}
		seen[id] = true
	}
	return complaints
}

func (t BootstrapToken) validate(field string) []Complaint {
	complaints := slices.Concat(checkUsages(field+".usages", t.Usages), checkToken(field+".token", t.Token))
	if t.TTL != nil && t.Expires != nil {
		complaints = append(complaints, wrong(field, "ttl and expires exclude each other").hint("keep one of them"))
	}
	if t.TTL != nil && t.TTL.Duration < 0 {
		complaints = append(complaints, wrong(field+".ttl", "%s is less than 0", t.TTL.Duration))
	}
	if len(t.Groups) > 0 && !slices.Contains(t.Usages, "authentication") {
		complaints = append(complaints, wrong(field+".groups", "mean nothing without the usage authentication"))
	}
	return append(complaints, checkGroups(field+".groups", t.Groups)...)
}

func checkToken(field, token string) []Complaint {
	if !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(token) {
		return []Complaint{wrong(field, "is not of the form abcdef.0123456789abcdef: 6 and 16 of a-z and 0-9")}
	}
	return nil
}

func checkUsages(field string, usages []string) []Complaint {
	var complaints []Complaint
	for i, usage := range usages {
		complaints = append(complaints, oneOf(at(field, i), usage, "signing", "authentication")...)
	}
	return complaints
}

func checkGroups(field string, groups []string) []Complaint {
	var complaints []Complaint
	allowed := regexp.MustCompile(`^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$`)
	for i, group := range groups {
		if !allowed.MatchString(group) {
			complaints = append(complaints, wrong(at(field, i), "%q does not begin with system:bootstrappers:, or has more than a-z, 0-9, : and - after it", group))
		}
	}
	return complaints
}
