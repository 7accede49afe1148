package host

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Service is systemd's view of the kubelet; zero where there is no systemd.
type Service struct {
	// Installed is whether the unit is known, Enabled whether it starts with the machine.
	Installed, Enabled bool
	// Active is whether it runs, and does not wait to be started again.
	Active bool
	// Stale is whether it runs with older files than those on disk.
	Stale bool
}

// unit is what systemctl show prints of one unit, by property.
type unit map[string]string

const unitProperties = "--property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestampMonotonic"

// showUnits asks systemd about units, by name without .service.
func showUnits(ctx context.Context, names ...string) (map[string]unit, error) {
	out, err := systemctl(ctx, append([]string{"show", unitProperties}, names...)...)
	if err != nil {
		return nil, err
	}
	return parseUnits(out), nil
}

// parseUnits reads blocks of lines NAME=VALUE, with an empty line between units.
func parseUnits(out string) map[string]unit {
	units := map[string]unit{}
	for block := range strings.SplitSeq(out, "\n\n") {
		u := unit{}
		for line := range strings.Lines(block) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				u[key] = value
			}
		}
		units[strings.TrimSuffix(u["Id"], ".service")] = u
	}
	return units
}

func (u unit) active() bool { return u["ActiveState"] == "active" }

// startedBefore is whether the unit's process began before t. systemd gives microseconds
// of the monotonic clock, and a file's time is the wall clock's: the two are compared by their age.
func (u unit) startedBefore(t time.Time) bool {
	micros, err := strconv.ParseInt(u["ExecMainStartTimestampMonotonic"], 10, 64)
	var mono unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return false
	}
	age := time.Duration(mono.Nano()) - time.Duration(micros)*time.Microsecond
	return age > time.Since(t)
}

// service is the kubelet's unit beside the files that it reads when it starts.
func (h *Host) service(u unit, files []string) Service {
	s := Service{
		Installed: u["LoadState"] == "loaded",
		Enabled:   u["UnitFileState"] == "enabled",
		Active:    u.active(),
	}
	for _, path := range files {
		info, err := os.Stat(h.Path(path))
		s.Stale = s.Stale || s.Active && err == nil && u.startedBefore(info.ModTime())
	}
	return s
}

// askSystemd fills in what systemd knows, where there is one.
func (h *Host) askSystemd(ctx context.Context, ask Ask, s *Survey) {
	if !h.systemd() || len(ask.KubeletFiles) == 0 {
		return
	}
	units, err := showUnits(ctx, "kubelet", "firewalld", "systemd-resolved")
	if err != nil {
		return // as good as a systemd without the unit, which the checks report
	}
	s.Service = h.service(units["kubelet"], ask.KubeletFiles)
	s.Firewalld = units["firewalld"].active()
	s.Resolved = units["systemd-resolved"].active()
}

// kubeletVersion runs the kubelet in PATH for its version, "Kubernetes v1.36.3".
func kubeletVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "kubelet", "--version").Output()
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), " v")
	return version
}

func systemctl(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return "", &commandError{"systemctl " + strings.Join(args, " "), strings.TrimSpace(string(out)), err}
	}
	return string(out), nil
}

// commandError is a command that failed, with what it said.
type commandError struct {
	command, output string
	err             error
}

func (e *commandError) Error() string {
	if e.output == "" {
		return e.command + ": " + e.err.Error()
	}
	return e.command + ": " + e.output
}

func (e *commandError) Unwrap() error { return e.err }
