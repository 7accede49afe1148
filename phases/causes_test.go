package phases

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod.dev/tripod/internal/host"
)

// The lines are those of etcd 3.6.8 and of Kubernetes 1.36.3.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	etcd := func(level, msg, err string) string {
		return fmt.Sprintf(`{"level":%q,"ts":"2026-11-22T07:30:18.569725Z","caller":"etcdmain/etcd.go:183","msg":%q,"error":%q,"stacktrace":"go.etcd.io/etcd/server/v3/etcdmain.startEtcdOrProxyV2\n\tgo.etcd.io"}`, level, msg, err)
	}
	const closed = `{"level":"info","ts":"2026-11-22T07:30:18.569689Z","caller":"embed/etcd.go:428","msg":"closed etcd server","name":"default"}`
	const failed = `E1122 07:30:20.462700    1752 run.go:72] "command failed" err=`
	const retries = `W1122 07:30:38.053474    1812 logging.go:55] [core] [Channel #7 SubChannel #9] grpc: addrConn.createTransport failed to connect to {Addr: "192.0.2.1:2379"}. Err: connection error: desc = "transport: Error while dialing: tls: failed to verify certificate: x509: certificate signed by unknown authority"`
	for name, tt := range map[string]struct {
		log        []string
		reason     string
		line, hint string
		final      bool
	}{
		"etcd, port held": {log: []string{closed, etcd("fatal", "discovery failed", "listen tcp 192.0.2.1:2380: bind: address already in use")},
			line: "fatal: discovery failed: listen tcp 192.0.2.1:2380: bind: address already in use",
			hint: "stop what listens at 192.0.2.1:2380, or give the component another port", final: true},
		"etcd, address of nobody": {log: []string{closed, etcd("fatal", "discovery failed", "listen tcp 203.0.113.7:2379: bind: cannot assign requested address")},
			hint: "203.0.113.7 is not an address of this machine", final: true},
		"etcd, unknown flag": {log: []string{"flag provided but not defined: -no-such-flag", "Usage:", "  etcd [flags]", "    Start an etcd server."},
			line: "flag provided but not defined: -no-such-flag", hint: "this version does not know -no-such-flag: take it out of extraArgs or of the patch", final: true},
		"etcd, bad value": {log: []string{`invalid value "abc" for flag -heartbeat-interval: parse error`, "Usage:", "  etcd [flags]"},
			hint: `invalid value "abc" for flag -heartbeat-interval: correct it in extraArgs or in the patch`, final: true},
		"etcd, values that do not agree": {log: []string{etcd("warn", "failed to verify flags", "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[900ms]")},
			hint: "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[900ms]: correct it in extraArgs or in the patch", final: true},
		"etcd, another's data": {log: []string{closed, etcd("fatal", "discovery failed", `couldn't find local name "a" in the initial cluster configuration`)},
			hint: `the data directory is another member's (couldn't find local name "a" in the initial cluster configuration): look at it, move it away if nobody needs it`, final: true},
		"etcd, damaged data": {log: []string{etcd("error", "failed to map db file (/var/lib/etcd/member/snap/db): invalid database", ""), "goroutine 1 [running]:", "main.main()"},
			hint: "etcd's data is damaged (invalid database): restore a snapshot, or move the data directory away if nobody needs it", final: true},
		"etcd, a file for a directory": {log: []string{etcd("fatal", "failed to list data directory", "readdirent /var/lib/etcd: not a directory")},
			hint: "/var/lib/etcd is in the place of a directory: move it away", final: true},
		"etcd, no permission": {log: []string{etcd("fatal", "failed to list data directory", "open /var/lib/etcd: permission denied")},
			hint: "/var/lib/etcd: permission denied: look at owner and mode", final: true},
		"etcd, no certificate": {log: []string{etcd("fatal", "listener failed", "open /etc/kubernetes/pki/etcd/x.crt: no such file or directory")},
			hint: "the component finds no /etc/kubernetes/pki/etcd/x.crt: correct the flag, or mount it by extraVolumes", final: true},
		"apiserver, port held": {log: []string{failed + `"failed to create listener: failed to listen on 192.0.2.1:6443: listen tcp 192.0.2.1:6443: bind: address already in use"`},
			hint: "stop what listens at 192.0.2.1:6443, or give the component another port", final: true},
		"apiserver, unknown flag": {log: []string{"Error: unknown flag: --no-such-flag"}, hint: "this version does not know --no-such-flag: take it out of extraArgs or of the patch", final: true},
		"apiserver, bad value": {log: []string{`Error: invalid argument "abc" for "--secure-port" flag: strconv.ParseInt: parsing "abc": invalid syntax`},
			hint: `invalid argument "abc" for "--secure-port" flag: correct it in extraArgs or in the patch`, final: true},
		"apiserver, gate": {log: []string{failed + `"unrecognized feature gate: NoSuch"`}, hint: "unrecognized feature gate: NoSuch: take it out of extraArgs or of the patch", final: true},
		"apiserver, no etcd": {log: []string{retries, failed + `"error creating storage factory: context deadline exceeded"`},
			line: failed + `"error creating storage factory: context deadline exceeded"`, hint: "the apiserver did not reach its etcd"},
		"scheduler, no file": {log: []string{failed + `"open /etc/kubernetes/sched.yaml: no such file or directory"`},
			hint: "the component finds no /etc/kubernetes/sched.yaml: correct the flag, or mount it by extraVolumes", final: true},
		"controller-manager, no file": {log: []string{failed + `"stat /nope: no such file or directory"`},
			hint: "the component finds no /nope: correct the flag, or mount it by extraVolumes", final: true},
		"memory":      {log: []string{"I1122 all is well"}, reason: "OOMKilled", hint: "there was no memory left for it: give the machine more, or stop what else runs there"},
		"not known":   {log: []string{"first", failed + `"\"nope\" is not in the list of known controllers"`, " "}, line: failed + `"\"nope\" is not in the list of known controllers"`},
		"no log":      {},
		"only reason": {reason: "Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diagnose(host.Open(t.TempDir()), host.Exit{Log: tt.log, Reason: tt.reason})
			if got.hint != tt.hint || got.final != tt.final || (tt.line != "" && got.line != tt.line) {
				t.Errorf("got %+v", got)
			}
			if tt.log == nil && got.line != "" {
				t.Errorf("line %q of no log", got.line)
			}
		})
	}
}

// The one who is named holds the port now.
func TestDiagnoseNamesTheHolder(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	held := fmt.Sprintf(" (%s (pid %d) holds it)", filepath.Base(os.Args[0]), os.Getpid())
	for address, want := range map[string]string{
		"127.0.0.1": held, "0.0.0.0": held, "": held, "[::]": held,
		"127.9.9.9": "", "[::1]": "", "localhost": "",
	} {
		line := "listen tcp " + address + ":" + port + ": bind: address already in use"
		got := diagnose(host.Open("/"), host.Exit{Log: []string{line}}).hint
		if strings.HasSuffix(got, " holds it)") != (want != "") || !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s", address, got)
		}
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	exit := host.Exit{Code: 2, Reason: "OOMKilled", ContainerID: "0123456789abcdef", Log: []string{
		`{"level":"warn","msg":"dialing","error":"proxy http://me:secret@proxy:3128 is away"}`,
		"\x1b[31mred\x1b[0m\tand\x07 more", `{"not":"etcd's"}`,
	}}
	want := `container etcd (0123456789ab) ended with exit code 2 (OOMKilled), its last lines:
    warn: dialing: proxy http://***@proxy:3128 is away
    [31mred[0m and more
    {"not":"etcd's"}`
	if got := crash("etcd", exit); got != want {
		t.Errorf("got %s", got)
	}
	if got := crash("etcd", host.Exit{Code: 1, Reason: "Error"}); got != "container etcd ended with exit code 1" {
		t.Errorf("got %s", got)
	}
}
