//go:build !killpoint

package host

// Killpoint marks a moment at which a test may kill the process; it does nothing in a
// build without the tag killpoint.
func Killpoint(string) {}
