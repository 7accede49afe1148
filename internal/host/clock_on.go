//go:build killpoint

package host

import (
	"os"
	"sync"
	"time"
)

// ahead is how far this test build's clock is ahead of the machine's: it was the time in TRIPOD_CLOCK (RFC 3339) when it was
// looked at first, and goes on.
var ahead = sync.OnceValue(func() time.Duration {
	set, err := time.Parse(time.RFC3339, os.Getenv("TRIPOD_CLOCK"))
	if err != nil {
		return 0
	}
	return time.Until(set)
})

// Now is the machine's clock, or one that is as far from it as TRIPOD_CLOCK says.
func Now() time.Time { return time.Now().Add(ahead()) }
