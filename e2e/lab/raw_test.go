package lab

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

func TestRaw(t *testing.T) {
	l, err := Find()
	if err != nil { t.Fatal(err) }
	ctx := context.Background()
	for range 3 {
	r, err := l.PrepareRaw(ctx, Default, netip.MustParseAddr("127.200.0.1"))
	if err != nil { t.Fatal(err) }
	defer r.Close()
	t0 := time.Now()
	err = r.Up(ctx)
	t.Log(time.Since(t0), err)
	if err := r.Close(); err != nil { t.Fatal(err) }
	}
}
