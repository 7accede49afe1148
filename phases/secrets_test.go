package phases

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/host"
)

// Nothing that is shown of a run holds a key, a token or a password: not the plan, its diffs, the events or the
// journal. Nor if all that is written replaces something, which is shown, too.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	s := newStage(t, tokenDocument)
	s.c.UploadCerts = true
	m := s.gather(t)
	m.Objects = apiWith(bootstrap.Record{Token: bootstrap.Token{ID: "abcdef", Secret: "hunter4567890123"}}.Object())
	m.ProxyEnv = proxyEnv([]string{"HTTPS_PROXY=http://me:hunter2@proxy:3128", "http_proxy=me:hunter2@proxy", "NO_PROXY="})
	if len(m.ProxyEnv) != 2 {
		t.Fatalf("proxies: %v", m.ProxyEnv)
	}
	for _, earlier := range []map[string]host.File{{}, filesOfAnother(t, m)} {
		m.Files = earlier
		steps, _, err := Plan(Init(), m)
		if err != nil {
			t.Fatal(err)
		}
		secrets := secretsOf(t, steps, earlier)
		hide(t, secrets, "plan", strings.Join(shownLines(steps), "\n"))
		hide(t, secrets, "plan as JSON", encode(t, steps))
		hide(t, secrets, "events", encode(t, applyAll(t, s, m, steps)))
		journal, exists, err := s.site.Host.Read(m.JournalPath())
		if err != nil || !exists {
			t.Fatal(exists, err)
		}
		hide(t, secrets, "journal", string(journal.Data))
		hide(t, secrets, "keys in a message", fmt.Sprintf("%v %+v %s", m.PKI.Pairs, m.PKI.Pairs["ca"], m.PKI.SA))
	}
}

// filesOfAnother are the files of m's paths with the keys of another master, whose proxy and kubeconfig are secret, too.
func filesOfAnother(t *testing.T, m Master) map[string]host.File {
	t.Helper()
	pki, err := fillPKI(m.Config, DiskPKI{}, m.Now)
	if err != nil {
		t.Fatal(err)
	}
	m.PKI, m.ProxyEnv = pki, proxyEnv([]string{"ALL_PROXY=socks5://you:hunter3@proxy"})
	steps, _, err := Plan(Init(), m)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]host.File{}
	for _, c := range changesOf(steps) {
		for _, f := range c.Files {
			files[f.Path] = f
		}
	}
	admin := m.Paths.Kubernetes + "/" + adminConf
	files[admin] = host.File{Path: admin, Mode: 0o600, Data: []byte(tokenKubeconfig)}
	return files
}

// shownLines are the lines of a plan that people see.
func shownLines(steps []Step) []string {
	var lines []string
	for _, c := range changesOf(steps) {
		lines = append(lines, c.String(), c.Diff)
	}
	return lines
}

// secretsOf are words of everything that is secret in the files of a plan and in those that it replaces.
func secretsOf(t *testing.T, steps []Step, earlier map[string]host.File) []string {
	t.Helper()
	secrets := []string{"PRIVATE KEY", base64.StdEncoding.EncodeToString([]byte("hunter4567890123"))[:20], "hunter", "0123456789abcdef", "secret@",
		base64.StdEncoding.EncodeToString([]byte("-----BEGIN EC PRIVATE")), base64.StdEncoding.EncodeToString([]byte("-----BEGIN RSA PRIVATE")),
		base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))[:20], "00112233445566778899"}
	var files []host.File
	for _, c := range changesOf(steps) {
		files = append(files, c.Files...)
	}
	for _, f := range earlier {
		files = append(files, f)
	}
	for _, f := range files {
		for _, line := range strings.Split(string(f.Data), "\n") {
			// A line of PEM, or of what embeds it.
			if len(line) >= 64 && !strings.Contains(line, " ") {
				secrets = append(secrets, line[:40])
			}
		}
	}
	if len(secrets) < 50 {
		t.Fatalf("only %d secrets", len(secrets))
	}
	return secrets
}

func hide(t *testing.T, secrets []string, what, text string) {
	t.Helper()
	if len(text) < 100 {
		t.Fatalf("%s: only %q", what, text)
	}
	for _, s := range secrets {
		if at := strings.Index(text, s); at >= 0 {
			t.Errorf("%s holds %q: %s", what, s, text[max(0, at-60):at+len(s)])
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
