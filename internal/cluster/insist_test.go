package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	noNamespace = `404 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"namespaces \"kube-public\" not found","details":{"name":"kube-public","kind":"namespaces"}}`
	noObject    = `404 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"configmaps \"a\" not found","details":{"name":"a","kind":"configmaps"}}`
	forbidden   = `403 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"RBAC: not yet"}`
	unknownUser = `401 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401,"message":"Unauthorized"}`
	malformed   = `422 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"no"}`
	starting    = `503 starting`
	limited     = `429 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","code":429,"message":"slowly"}`
	hangUp      = `0 `
	object      = `200 {"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"kube-public","name":"a"},"data":{"k":"v"}}`
)

// serve answers one after the other, the last one for ever.
func serve(t *testing.T, answers ...string) (*Client, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := answers[min(int(asked.Add(1)), len(answers))-1]
		var status int
		_, _ = fmt.Sscan(answer, &status)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer[strings.Index(answer, " ")+1:]))
	}))
	t.Cleanup(s.Close)
	return connect(t, s.URL), &asked
}

func connect(t *testing.T, server string) *Client {
	t.Helper()
	c, err := FromKubeconfig([]byte(`{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]}`), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestInsist(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers []string
		asked   int32
		told    int
		err     func(error) bool // nil: none
	}{
		"at once":             {[]string{object}, 1, 0, nil},
		"after all that ends": {[]string{starting, starting, limited, hangUp, noNamespace, forbidden, object}, 7, 5, nil},
		"not found":           {[]string{noObject}, 1, 0, apierrors.IsNotFound},
		"unknown user":        {[]string{starting, unknownUser}, 2, 1, apierrors.IsUnauthorized},
		"invalid":             {[]string{malformed}, 1, 0, apierrors.IsInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, asked := serve(t, test.answers...)
			var told []string
			err := Insist(t.Context(), func(s string) { told = append(told, s) }, func(ctx context.Context) error {
				_, err := c.Apply(ctx, ConfigMap("kube-public", "a"))
				return err
			})
			if test.err == nil && err != nil || test.err != nil && !test.err(err) {
				t.Errorf("error %v", err)
			}
			if asked.Load() != test.asked || len(told) != test.told {
				t.Errorf("asked %d times, told %q", asked.Load(), told)
			}
		})
	}
}

// The end of the time is never the reason.
func TestInsistSaysWhyNot(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, forbidden)
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	err := Insist(ctx, nil, func(ctx context.Context) error {
		_, err := c.Get(ctx, ConfigMap("kube-public", "a"))
		return err
	})
	if !apierrors.IsForbidden(err) {
		t.Errorf("error %v", err)
	}
	ctx, stop = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	refused := connect(t, "https://127.0.0.1:1")
	err = Insist(ctx, nil, func(ctx context.Context) error {
		_, err := refused.Path(ctx, "/readyz")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

// A server that nobody vouches for does not become another one by waiting.
func TestInsistOnTrust(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c := connect(t, s.URL)
	var attempts int
	err := Insist(t.Context(), nil, func(ctx context.Context) error {
		attempts++
		_, err := c.Path(ctx, "/version")
		return err
	})
	if err == nil || attempts != 1 {
		t.Errorf("error %v after %d attempts", err, attempts)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, "200 ok", "500 [-]poststarthook/rbac failed")
	if body, err := c.Path(t.Context(), "/readyz"); err != nil || string(body) != "ok" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := c.Path(t.Context(), "/readyz"); !apierrors.IsInternalError(err) {
		t.Errorf("error %v", err)
	}
}

func TestAs(t *testing.T) {
	t.Parallel()
	type named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	n, err := As[named](ConfigMap("kube-public", "a"))
	if err != nil || n.Metadata.Name != "a" {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := As[named](&unstructured.Unstructured{Object: map[string]any{"metadata": "no"}}); err == nil {
		t.Error("no error for an object of another shape")
	}
}
