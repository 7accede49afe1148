package balancer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// answerWithin is the time that a backend has to say that it is ready.
const answerWithin = time.Second

// notReady is an apiserver that answers, and says that it is not ready.
type notReady struct{ error }

// watch checks all backends side by side until stop is called or the context ends.
func (b *balancer) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var checks sync.WaitGroup
	for _, each := range b.backends {
		checks.Go(func() { b.check(ctx, each) })
	}
	return func() {
		cancel()
		checks.Wait()
	}
}

// check asks one backend again and again, over one connection if that lasts.
func (b *balancer) check(ctx context.Context, each *backend) {
	client := &http.Client{
		Timeout:       answerWithin,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.ca}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	again := time.NewTicker(checkEvery)
	defer again.Stop()
	for {
		err := ready(ctx, client, each.address)
		if ctx.Err() != nil {
			return
		}
		b.judge(each, err)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// Ready is nil if the apiserver at the address, or one behind it, says that it is ready. Its certificate has to be the CA's, and
// to name the address.
func Ready(ctx context.Context, ca *x509.CertPool, address string) error {
	client := &http.Client{Timeout: answerWithin, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca}, DisableKeepAlives: true}}
	return ready(ctx, client, address)
}

func ready(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return unanswered(address, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // what is left unread costs the connection
	if answer.StatusCode != http.StatusOK {
		return notReady{fmt.Errorf("https://%s/readyz answers %s", address, answer.Status)}
	}
	return nil
}

// unanswered tells why there was no answer, without the words that net/http puts around the reason.
func unanswered(address string, err error) error {
	var wrapped *url.Error
	switch {
	case !errors.As(err, &wrapped):
		return err
	case wrapped.Timeout():
		return fmt.Errorf("%s has not answered within %s", wrapped.URL, answerWithin)
	}
	return fmt.Errorf("asking %s: %w", address, wrapped.Err)
}
