package main

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

func TestProgramName(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"kubeadm": kubeadmName, "/usr/bin/kubeadm": kubeadmName, "./kubeadm": kubeadmName,
		"tripod": tripodName, "/opt/tripod-v1": tripodName, "kubeadm2": tripodName, "": tripodName,
	} {
		if got := programName(path); got != want {
			t.Errorf("%q: %s", path, got)
		}
	}
}

func TestCalledKubeadm(t *testing.T) {
	t.Parallel()
	for line, tt := range map[string]struct {
		code      int
		out, errs string
	}{
		"":                         {0, "kubeadm [command]", ""},
		"--help":                   {0, "kubeadm init --config master.yaml", ""},
		"init --help":              {0, "kubeadm init --dry-run --write-to", ""},
		"token create --help":      {0, "kubeadm token create --print-join-command", ""},
		"version -o short":         {0, "v1.36.3\n", ""},
		"--version":                {0, "kubeadm version v1.36.3\n", ""},
		"version -o xml":           {2, "", "--output=xml: it is one of short, json, yaml"},
		"config images list --v=6": {0, "registry.k8s.io/kube-apiserver:v1.36.3\n", ""},
		"completion bash":          {0, "bash completion V2 for kubeadm", ""},
		"init phase list -v 5":     {0, "preflight", ""},
		"nonsense":                 {2, "", "hint: kubeadm --help lists them"},
		"init --skip-phases=nope":  {2, "", "hint: kubeadm init phase list"},
		"init phase":               {2, "", "hint: kubeadm init phase list"},

		"upgrade plan":                    {3, "", "this machine is not of a cluster"},
		"upgrade apply v1.36.3 -y":        {3, "", "this machine is not of a cluster"},
		"upgrade apply":                   {2, "", "nobody says which version"},
		"upgrade apply 1.36":              {3, "", "this machine is not of a cluster"},
		"upgrade apply a b":               {2, "", "apply takes one VERSION"},
		"upgrade node x":                  {2, "", "takes no argument"},
		"upgrade --help":                  {0, "kubeadm upgrade apply v1.36.3", ""},
		"upgrade node --skip-phases=nope": {2, "", "no phase is called nope"},
		"rollback --to 0":                 {2, "", "generations count from 1"},
		"apply -f /nowhere":               {2, "", "/nowhere"},
		"reset --help":                    {0, "kubeadm reset --dry-run", ""},
		"reset phase x":                   {2, "", "no phase of reset is called x"},
		"alpha":                           {2, "", "error: kubeadm alpha is not supported"},
		"certs check-expiration --help":   {0, "kubeadm certs check-expiration --fail-within", ""},
		"certs renew all":                 {3, "", "this machine is not of a cluster"},
		"certs renew":                     {2, "", "renew takes the name of one certificate, or all"},
		"certs renew nope":                {2, "", "there are all, admin.conf"},
		"--rootfs=/nowhere version":       {2, "", "--rootfs=/nowhere: there is no such directory"},
		"version --rootfs /nowhere":       {2, "", "--rootfs=/nowhere: there is no such directory"},
		"token list -o kyaml":             {2, "", "--output=kyaml: it is one of text, json, yaml"},
		"config images list -o go":        {2, "", "it is one of text, json, yaml"},
		"init --log-file=x":               {2, "", "unknown flag: --log-file"},
		"config migrate":                  {2, "", `required flag(s) "old-config" not set`},
		"config validate --config=/":      {2, "", "is a directory"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			out, errs, code := called(t, kubeadmName, strings.Fields(line)...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
		})
	}
}

// No text of a command tells the user of kubeadm to call tripod.
func TestCalledKubeadmSaysKubeadm(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	root := newCommand(kubeadmName, io.Discard, io.Discard)
	command := regexp.MustCompile(`\btripod (init|join|reset|etcd|token|certs|config|kubeconfig|version|sandbox|agent|completion)\b`)
	look = func(cmd *cobra.Command) {
		if found := command.FindString(cmd.Short + cmd.Long + cmd.Example + cmd.UseLine()); found != "" {
			t.Errorf("%s: %s", cmd.CommandPath(), found)
		}
		for _, below := range cmd.Commands() {
			look(below)
		}
	}
	look(root)
}

// What drives kubeadm reads this.
func TestKubeadmVersion(t *testing.T) {
	t.Parallel()
	out, _, _ := called(t, kubeadmName, "version")
	line := regexp.MustCompile(`^kubeadm version: &version\.Info\{Major:"1", Minor:"36",.* GitVersion:"v1\.36\.3", GitCommit:".*", GitTreeState:".+", BuildDate:".+", GoVersion:"go.+", Compiler:".+", Platform:".+/.+"\}\n$`)
	if !line.MatchString(out) {
		t.Error(out)
	}
	for format, decode := range map[string]func([]byte, any) error{"json": json.Unmarshal, "yaml": func(b []byte, v any) error { return yaml.Unmarshal(b, v) }} {
		out, _, _ := called(t, kubeadmName, "version", "-o", format)
		var document struct{ ClientVersion map[string]string }
		if err := decode([]byte(out), &document); err != nil || document.ClientVersion["gitVersion"] != "v1.36.3" || document.ClientVersion["platform"] == "" {
			t.Errorf("%s: %v\n%s", format, err, out)
		}
	}
}

func TestUnknownPhases(t *testing.T) {
	t.Parallel()
	names := []string{"control-plane-join/etcd", "check-etcd", "nope", "kubelet-finalize/experimental-cert-rotation"}
	if got := unknownPhases(names, initPhasesOfKubeadm()); !slices.Equal(got, names[:3]) {
		t.Error("init:", got)
	}
	if got := unknownPhases(names, joinPhasesOfKubeadm()); !slices.Equal(got, names[2:]) {
		t.Error("join:", got)
	}
}

// Who leaves kubeadm's preparations out leaves the manifests out, which kubeadm writes there.
func TestWithManifests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"control-plane-prepare", "control-plane-prepare/all", "control-plane-prepare/control-plane"} {
		if got := withManifests([]string{name}); !slices.Equal(got, []string{name, "control-plane"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := withManifests([]string{"control-plane-prepare/certs"}); len(got) != 1 {
		t.Errorf("certificates alone: %v", got)
	}
}
