//go:build !killpoint

package host

import "time"

// Now is the machine's clock.
func Now() time.Time { return time.Now() }
