//go:build killpoint

package host

import (
	"os"
	"time"
)

// Now is the machine's clock, or in this test build the time in TRIPOD_CLOCK (RFC 3339).
func Now() time.Time {
	if set, err := time.Parse(time.RFC3339, os.Getenv("TRIPOD_CLOCK")); err == nil {
		return set
	}
	return time.Now()
}
