package phases

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod.dev/tripod/internal/bootstrap"
	"tripod.dev/tripod/internal/cluster"
	"tripod.dev/tripod/internal/config"
)

// moodyAPI is an apiserver that can be made not to answer, as no real one can.
type moodyAPI struct {
	mu      sync.Mutex
	objects map[string]*unstructured.Unstructured
	// mood is the status of every answer, but for 0, with which it answers as it should, and -1, with which it does not answer.
	mood int
	// written are the objects that somebody has changed.
	written []string
}

// serve is the API of the stage's apiserver, which from now on is at its address. The master comes up with it.
func (s *stage) serve(t *testing.T) *moodyAPI {
	t.Helper()
	listener, err := net.Listen("tcp", "127.66.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.c.Advertise = netip.MustParseAddrPort(listener.Addr().String())
	s.c.Endpoint = s.c.Advertise.String()
	s.bringUp(t)
	m := s.gather(t)
	a := &moodyAPI{objects: map[string]*unstructured.Unstructured{}}
	server := httptest.NewUnstartedServer(a)
	server.Listener.Close()
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: identity(m.PKI.Pairs["apiserver"])}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return a
}

func (a *moodyAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	name := path.Base(r.URL.Path)
	switch live := a.objects[r.URL.Path]; {
	case a.mood < 0:
		a.mu.Unlock()
		<-r.Context().Done()
		a.mu.Lock()
	case a.mood > 0:
		reply(w, a.mood, status(name, a.mood))
	case r.Method != http.MethodGet:
		a.written = append(a.written, r.Method+" "+name)
		var o unstructured.Unstructured
		if data, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(data, &o.Object) == nil {
			a.objects[r.URL.Path] = &o
		}
		reply(w, http.StatusOK, o.Object)
	case name == "secrets":
		reply(w, http.StatusOK, a.list("/secrets/"))
	case live == nil:
		reply(w, http.StatusNotFound, status(name, http.StatusNotFound))
	default:
		reply(w, http.StatusOK, live.Object)
	}
}

func (a *moodyAPI) list(below string) map[string]any {
	items := []any{}
	for at, o := range a.objects {
		if strings.Contains(at, below) {
			items = append(items, o.Object)
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

func reply(w http.ResponseWriter, code int, body any) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func status(name string, code int) map[string]any {
	reasons := map[int]string{http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden", http.StatusServiceUnavailable: "ServiceUnavailable"}
	return map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reasons[code], "code": code, "message": name + ": " + reasons[code],
		"details": map[string]any{"name": name, "kind": "x"}}
}

// set changes how it answers.
func (a *moodyAPI) set(mood int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mood = mood
}

// has puts objects into the cluster.
func (a *moodyAPI) has(objects ...*unstructured.Unstructured) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range objects {
		group := map[bool]string{true: "/api/v1", false: "/apis/" + o.GetAPIVersion()}[o.GetAPIVersion() == "v1"]
		a.objects[group+"/namespaces/"+o.GetNamespace()+"/"+strings.ToLower(o.GetKind())+"s/"+o.GetName()] = canonical(o)
	}
}

// keeping puts the configuration of the cluster into it, with what is to differ from the first day's.
func (a *moodyAPI) keeping(t *testing.T, s stage, change ...func(*Master)) {
	t.Helper()
	m := s.gather(t)
	for _, f := range change {
		f(&m)
	}
	for _, objects := range []func(Master) ([]*unstructured.Unstructured, error){kubeadmConfig, kubeletConfig} {
		all, err := objects(m)
		if err != nil {
			t.Fatal(err)
		}
		a.has(all...)
	}
}

// up says that init has come to its end on the stage.
func (s stage) up(t *testing.T) {
	t.Helper()
	m := s.gather(t)
	if err := m.judgeGeneration(t.Context(), s.site, Healthy, ""); err != nil {
		t.Fatal(err)
	}
}

// again is what init plans that is run again. It does nothing about this machine's memory.
func (s stage) again(t *testing.T) (Master, []Step) {
	t.Helper()
	m, err := GatherInit(t.Context(), s.site, s.c, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	list, _ := Without(Init(), []string{"preflight", "etcd/member"}) // no etcd runs
	steps, _, err := Plan(list, m)
	if err != nil {
		t.Fatal(err)
	}
	return m, steps
}

// words are the changes of a plan.
func words(steps []Step) []string {
	var all []string
	for _, c := range changesOf(steps) {
		all = append(all, c.String())
	}
	return all
}

// What was changed since the first day stays, and what was removed does not come back.
func TestInitKeeps(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	a := s.serve(t)
	a.keeping(t, s, otherAPIServer)
	s.up(t)
	if m, steps := s.again(t); len(changesOf(steps)) > 0 || !m.isUp() {
		t.Errorf("planned: %v", words(steps))
	}
	a.set(http.StatusForbidden) // nor where the cluster does not say what it has
	m, steps := s.again(t)
	for _, change := range words(steps) {
		if !strings.HasPrefix(change, "look for ") {
			t.Errorf("planned without an answer: %s", change)
		}
	}
	if worker, _ := m.JoinCommand("tripod"); worker != "" {
		t.Errorf("a token that nobody has: %s", worker)
	}
}

// An init that was killed does not write over what it could not read: it asks again when it needs to know, and stops where it
// is not told.
func TestInitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]int{"forbidden": http.StatusForbidden, "unavailable": http.StatusServiceUnavailable, "silent": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "")
			a := s.serve(t)
			a.keeping(t, s, otherAPIServer)
			s.c.APICall = 300 * time.Millisecond
			a.set(mood)
			m, steps := s.again(t)
			_, err := s.run(t.Context(), t, m, proofless(steps))
			if err == nil || !strings.Contains(err.Error(), "could not be learned") {
				t.Errorf("it ended with %v", err)
			}
			a.set(0)
			s.c.APICall = time.Minute
			m.Config = s.c
			if _, err := s.run(t.Context(), t, m, proofless(steps)); err != nil {
				t.Error(err)
			}
			if len(a.written) > 0 {
				t.Errorf("written: %v", a.written)
			}
		})
	}
}

// proofless are steps whose proofs are given at once.
func proofless(steps []Step) []Step {
	all := slices.Clone(steps)
	for i := range all {
		if all[i].Proof.Attempt != nil {
			all[i].Proof.Attempt, all[i].phase.Proof.Attempt = healthyAfter(0), healthyAfter(0)
		}
	}
	return all
}

// An init that was killed before its end is gone on with, and leaves the cluster up; the token that it has drawn stays the one.
func TestInitGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	a := s.serve(t)
	token := bootstrap.Record{Token: bootstrap.DrawToken(), Description: "drawn at random by init", Expires: time.Now().Add(time.Hour),
		Usages: []string{bootstrap.Signing, bootstrap.Authentication}}
	a.has(token.Object())
	s.c.TokenDrawn = true
	s.c.Init.BootstrapTokens = []config.BootstrapToken{{Token: bootstrap.DrawToken().String(), Description: token.Description, Usages: token.Usages}}
	a.set(http.StatusServiceUnavailable)
	s.c.APICall = 2 * time.Second
	m, steps := s.again(t)
	if m.isUp() || m.mayBeUp() == nil {
		t.Error("nobody can know whether the cluster is up")
	}
	a.set(0)
	if _, err := s.run(t.Context(), t, m, proofless(steps)); err != nil {
		t.Fatal(err)
	}
	if len(a.written) < 10 || slices.ContainsFunc(a.written, func(w string) bool { return strings.Contains(w, "bootstrap-token-") && !strings.Contains(w, token.ID) }) {
		t.Errorf("written: %v", a.written)
	}
	if config := slices.Index(a.written, "PATCH kubeadm-config"); config < len(a.written)-3 { // the rules by which it is read go beside it
		t.Errorf("kubeadm-config is not the last: %v", a.written)
	}
	if m, steps := s.again(t); len(changesOf(steps)) > 0 || !m.isUp() {
		t.Errorf("planned after the end: %v", words(steps))
	}
}

// What is given and is not what runs is refused, by name.
func TestInitDiffers(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	a := s.serve(t)
	a.keeping(t, s, otherAPIServer)
	s.up(t)
	load := func(document string, o config.Overrides) config.Config {
		source := ""
		o.Root, o.Loopback = strings.TrimSuffix(s.c.Paths.Kubernetes, "/etc/kubernetes"), s.c.Loopback
		if document != "" {
			source = "given.yaml"
		}
		c, _, err := config.Load([]byte(document), source, o, config.Machine{Hostname: "node-1", DefaultIP: s.c.Advertise.Addr()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for name, tt := range map[string]struct {
		document  string
		overrides config.Overrides
		want      []string
	}{
		"nothing given":     {},
		"the same":          {overrides: config.Overrides{KubernetesVersion: "v1.36.3", NodeName: "node-1"}},
		"an older version":  {overrides: config.Overrides{KubernetesVersion: "v1.35.4"}, want: []string{"--kubernetes-version: kubernetesVersion: has v1.36.3, given v1.35.4", "tripod upgrade apply"}},
		"another name":      {overrides: config.Overrides{NodeName: "cp-1"}, want: []string{"nodeRegistration.name: has node-1, given cp-1"}},
		"other names":       {overrides: config.Overrides{CertSANs: []string{"api.example.com"}}, want: []string{`apiServer.certSANs: has none, given ["api.example.com"]`}},
		"the first day's":   {document: clusterDocument, want: []string{"apiServer.extraArgs.v: has 4, given none"}},
		"other flags":       {document: clusterDocument + "scheduler: {extraArgs: [{name: v, value: '2'}]}\n", want: []string{"scheduler.extraArgs.v: has none, given 2", "tripod apply -f"}},
		"another kubelet's": {document: clusterDocument + "apiServer: {extraArgs: [{name: v, value: '4'}]}\n---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 5\n", want: []string{"KubeletConfiguration.maxPods: has none, given 5"}},
		"as it is now":      {document: clusterDocument + "apiServer: {extraArgs: [{name: v, value: '4'}]}\n"},
	} {
		_, err := GatherInit(t.Context(), s.site, load(tt.document, tt.overrides), func(string) {})
		var input *InputError
		if errors.As(err, &input) != (tt.want != nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, without %s", name, err, want)
			}
		}
	}
}

// A phase of a living master that is asked for by name adds what is missing, and no more.
func TestInitPhaseByName(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	a := s.serve(t)
	a.keeping(t, s)
	s.up(t)
	m, _ := s.again(t)
	m.Rootless = false
	m = m.seeing(t.Context(), connectTo(t, m), Init())
	for name, want := range map[string][]string{
		"addon/coredns": {"create ServiceAccount kube-system/coredns"}, "bootstrap-token": {"create ClusterRoleBinding kubeadm:kubelet-bootstrap"},
		"upload-config/kubelet": nil,
		"control-plane":         nil,
	} {
		steps, _, err := Plan(Only(Init(), name), m)
		if planned := words(steps); err != nil || len(want) == 0 != (len(planned) == 0) || want != nil && planned[0] != want[0] {
			t.Errorf("%s: %v, %v", name, planned, err)
		}
	}
}

func connectTo(t *testing.T, m Master) *cluster.Client {
	t.Helper()
	c, err := m.client()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A 404 of something else in the place of an apiserver says nothing of an object.
func TestNotThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c, err := cluster.FromKubeconfig(newStage(t, "").gather(t).PKI.Kubeconfigs[adminConf], server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if seen := readObject(t.Context(), c, clusterConfig()); seen.Absent() || seen.Err() == nil {
		t.Errorf("taken for an answer: %v", seen)
	}
	if diff := cmp.Diff(errNotAsked.Error(), Objects{}.Get(clusterConfig()).Err().Error()); diff != "" {
		t.Error(diff)
	}
}
