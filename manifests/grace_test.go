package manifests

import (
	"fmt"
	"testing"
	"time"
)

func TestGrace(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[string]time.Duration{"null": 30 * time.Second, "0": 0, "60": time.Minute, "-1": 0, "9223372037": 9223372036 * time.Second} {
		if got := Grace(fmt.Appendf(nil, "spec: {terminationGracePeriodSeconds: %s}", seconds)); got != want {
			t.Errorf("%s: %s, want %s", seconds, got, want)
		}
	}
}
