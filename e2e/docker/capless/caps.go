package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// names are the capabilities by number (capabilities(7)).
func names() []string {
	return strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
		CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
		CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN
		CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE
		CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND
		CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)
}

// missingHere are the capabilities that are not in this process's bounding set.
func missingHere() ([]string, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	return missingIn(string(status))
}

func missingIn(status string) ([]string, error) {
	for line := range strings.Lines(status) {
		var bounding uint64
		if _, err := fmt.Sscanf(line, "CapBnd: %x", &bounding); err == nil {
			return absent(bounding), nil
		}
	}
	return nil, fmt.Errorf("no bounding set in %q", status)
}

func absent(bounding uint64) []string {
	var missing []string
	for number, name := range names() {
		if bounding&(1<<number) == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}

// document is the file of a runtime's command line that says what a process may do, and the key under which it says
// so: "process" in a bundle's config.json, none in the file that `exec --process` takes. No file: nothing of the kind.
func document(args []string) (file, key string) {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case name == "--bundle" || name == "-b":
			return filepath.Join(value, "config.json"), "process"
		case name == "--process", name == "-p" && slices.Contains(args, "exec"):
			return value, ""
		}
	}
	return "", ""
}

// shed takes the missing capabilities out of a file, and leaves one that has none of them as it is.
func shed(file, key string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	without, err := remove(data, key, missing)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if bytes.Equal(data, without) {
		return nil
	}
	return os.WriteFile(file, without, 0o600)
}

// remove returns the document without the missing capabilities: itself, if there were none.
func remove(data []byte, key string, missing []string) ([]byte, error) {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // limits go up to 2^64-1, which a float would round
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	process := document
	if key != "" {
		process, _ = document[key].(map[string]any)
	}
	sets, _ := process["capabilities"].(map[string]any)
	changed := false
	for name, set := range sets {
		all, _ := set.([]any)
		kept := slices.DeleteFunc(slices.Clone(all), func(c any) bool { return slices.Contains(missing, fmt.Sprint(c)) })
		if len(kept) < len(all) {
			sets[name], changed = kept, true
		}
	}
	if !changed {
		return data, nil
	}
	return json.Marshal(document)
}
