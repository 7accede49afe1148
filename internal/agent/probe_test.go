package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod.dev/tripod/internal/host"
)

func TestHTTPProbe(t *testing.T) {
	t.Parallel()
	handler := http.NewServeMux()
	for _, status := range []int{200, 204, 404, 500} {
		handler.HandleFunc(fmt.Sprintf("/%d", status), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	handler.Handle("/here", http.RedirectHandler("/200", http.StatusFound))
	handler.Handle("/broken", http.RedirectHandler("/500", http.StatusFound))
	handler.Handle("/elsewhere", http.RedirectHandler("http://elsewhere.invalid/500", http.StatusFound))
	handler.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "me" || r.Header.Get("X-A") != "b" || r.Header.Get("Accept") != "*/*" {
			w.WriteHeader(400)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)

	header := probeHeader([]corev1.HTTPHeader{{Name: "Host", Value: "me"}, {Name: "X-A", Value: "b"}})
	for path, ok := range map[string]bool{
		"/200": true, "/204": true, "/404": false, "/500": false, "/here": true, "/broken": false, "/elsewhere": true, "/header": true,
	} {
		for _, server := range []string{plain.URL, secure.URL} {
			target, err := url.Parse(server + path)
			if err != nil {
				t.Fatal(err)
			}
			if err := httpAction(target, header)(t.Context()); (err == nil) != ok {
				t.Errorf("%s: %v", target, err)
			}
		}
	}
}

func TestTCPProbe(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	equal(t, "open", tcpAction("127.0.0.1", port)(t.Context()), nil)
	_ = listener.Close()
	if err := tcpAction("127.0.0.1", port)(t.Context()); err == nil {
		t.Error("a closed port passes")
	}
}

func TestExecProbe(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(timeout time.Duration, role string, args ...string) error {
		p := probe{Timeout: timeout, Action: execAction(exe, args, []string{roleVariable + "=" + role}, "/")}
		return p.once(t.Context())
	}
	equal(t, "exit 0", run(time.Minute, "exit", "0"), nil)
	if err := run(time.Minute, "exit", "1"); err == nil || !strings.Contains(err.Error(), "exit status 1: line 29") {
		t.Errorf("exit 1: %v", err)
	}
	if err := run(50*time.Millisecond, "stubborn"); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("timeout: %v", err)
	}
}

// attempts runs a probe in fake time; outcomes are repeated from the last.
func attempts(t *testing.T, p probe, outcomes []error, count int) (at []time.Duration, verdicts []verdict) {
	t.Helper()
	i := 0
	p.Timeout = time.Second
	p.Action = func(context.Context) error {
		defer func() { i++ }()
		return outcomes[min(i, len(outcomes)-1)]
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := make(chan result)
	begin := time.Now()
	go func() { p.run(ctx, begin, out); close(out) }()
	for range count {
		r, more := <-out
		if !more {
			break
		}
		at = append(at, time.Since(begin))
		verdicts = append(verdicts, r.verdict)
	}
	return at, verdicts
}

func TestProbeTimesAndThresholds(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	seconds := func(s ...time.Duration) []time.Duration {
		for i := range s {
			s[i] *= time.Second
		}
		return s
	}
	tests := map[string]struct {
		probe    probe
		outcomes []error
		at       []time.Duration
		verdicts []verdict
	}{
		"readiness goes on whatever comes": {
			probe{Kind: "readiness", Period: time.Second, Failures: 2, Successes: 2},
			[]error{bad, bad, nil, nil, bad},
			seconds(0, 1, 2, 3, 4),
			[]verdict{undecided, failed, undecided, passed, undecided},
		},
		"startup ends when passed": {
			probe{Kind: "startup", Delay: 10 * time.Second, Period: 5 * time.Second, Failures: 3, Successes: 1},
			[]error{bad, bad, nil},
			seconds(10, 15, 20),
			[]verdict{undecided, undecided, passed},
		},
		"startup ends when failed": {
			probe{Kind: "startup", Period: 5 * time.Second, Failures: 2, Successes: 1},
			[]error{bad},
			seconds(0, 5),
			[]verdict{undecided, failed},
		},
		"liveness ends when failed": {
			probe{Kind: "liveness", Delay: time.Second, Period: time.Second, Failures: 2, Successes: 1},
			[]error{bad, nil, bad, bad},
			seconds(1, 2, 3, 4),
			[]verdict{undecided, passed, undecided, failed},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, verdicts := attempts(t, test.probe, test.outcomes, 5)
				equal(t, "times", at, test.at)
				equal(t, "verdicts", verdicts, test.verdicts)
			})
		})
	}
}

// served is a pod whose paths answer what set says.
func served(t *testing.T, l *lab, probes string) (set func(path, status string)) {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	probes = strings.ReplaceAll(probes, "PORT", "host: 127.0.0.1, port: web")
	l.put("web.yaml", manifest("web", "serve",
		fmt.Sprintf("args: [\"127.0.0.1:%s\", %q]\nports: [{name: web, containerPort: %s}]\n", port, l.dir, port)+probes, ""))
	return func(path, status string) {
		if err := os.WriteFile(filepath.Join(l.dir, path), []byte(status), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadinessFollowsTheProbe(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	set := served(t, l, "readinessProbe: {periodSeconds: 1, failureThreshold: 1, httpGet: {path: /readyz, PORT}}\n")
	set("readyz", "500")
	l.run()
	l.eventually("the probe fails", func() bool {
		return strings.Contains(l.container("web").Probes["readiness"], "HTTP status 500")
	})
	equal(t, "ready", l.container("web").Ready, false)
	equal(t, "started", l.container("web").Started, true)
	set("readyz", "200")
	l.eventually("it is ready", func() bool { c := l.container("web"); return c.Ready && len(c.Probes) == 0 })
	set("readyz", "503")
	l.eventually("it is not ready", func() bool { return !l.container("web").Ready })
	equal(t, "restarts", l.container("web").Restarts, 0)
}

func TestLivenessFailureRestarts(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	set := served(t, l, "livenessProbe: {periodSeconds: 1, failureThreshold: 2, httpGet: {path: /livez, PORT}}\n")
	l.run()
	l.running("web", 0)
	set("livez", "500")
	l.eventually("it is restarted", func() bool { return l.container("web").Restarts == 1 })
	end := l.container("web").LastExit
	if end == nil || !strings.Contains(end.Message, "liveness probe failed: GET http://127.0.0.1:") {
		t.Errorf("exit %+v", end)
	}
}

// Before the startup probe has passed the others are not asked; its failure restarts.
func TestStartupComesFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	set := served(t, l, "startupProbe: {periodSeconds: 1, failureThreshold: 3, httpGet: {path: /startup, PORT}}\n"+
		"livenessProbe: {periodSeconds: 1, failureThreshold: 1, httpGet: {path: /livez, PORT}}\n"+
		"readinessProbe: {periodSeconds: 1, failureThreshold: 1, httpGet: {path: /readyz, PORT}}\n")
	set("startup", "500")
	set("livez", "500")
	l.run()
	first := l.running("web", 0)
	l.eventually("startup fails", func() bool { return l.container("web").Restarts == 1 })
	c := l.container("web")
	if took := c.LastExit.At.Sub(first.StartedAt); took < 2*time.Second {
		t.Errorf("ended after %s: the liveness probe was asked", took)
	}
	equal(t, "never started", []bool{c.Started, c.Ready}, []bool{false, false})
	set("livez", "200")
	set("startup", "200")
	l.eventually("it is ready", func() bool { c := l.container("web"); return c.Started && c.Ready })
	equal(t, "state", l.container("web").State, host.Started)
}
