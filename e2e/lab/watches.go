package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// watchers is how many inotify instances root may have where whole clusters run on one machine. The kernel's default of
// 128 is enough for two masters; what comes later can not watch its certificates.
const watchers = 4096

// RaiseWatchers lets this machine hold so many. Where that is not allowed, what runs has to do with what there is.
func RaiseWatchers() error {
	const limit = "/proc/sys/fs/inotify/max_user_instances"
	text, err := os.ReadFile(limit)
	if err != nil {
		return fmt.Errorf("how many inotify instances there may be: %w", err)
	}
	if now, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || now >= watchers || os.Getuid() != 0 {
		return err
	}
	_ = os.WriteFile(limit, []byte(strconv.Itoa(watchers)), 0o644) // a container may not
	return nil
}
