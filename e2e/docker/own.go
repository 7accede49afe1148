package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTime is how long dockerd may take until it answers.
const startTime = 30 * time.Second

// start starts the own engine and returns once it answers.
func (e *Engine) start(ctx context.Context, runtime string) error {
	if os.Getuid() != 0 {
		return errors.New("it takes root")
	}
	if err := os.MkdirAll(e.dir, 0o711); err != nil {
		return err
	}
	// The machine's own daemon.json is not meant for this engine.
	if err := os.WriteFile(e.configFile(), []byte("{}\n"), 0o644); err != nil {
		return err
	}
	log, err := os.Create(e.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("dockerd", e.flags(runtime)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives us, and the terminal's Ctrl-C
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w\nhint: install the engine (on Debian: apt-get install docker.io)", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return e.await(ctx, ended)
}

// flags keep everything in the engine's folder, and docker0 out of the way: kind makes a network of its own.
func (e *Engine) flags(runtime string) []string {
	return []string{
		"--host=" + e.Host, "--pidfile=" + e.pidFile(),
		"--data-root=" + filepath.Join(e.dir, "data"), "--exec-root=" + filepath.Join(e.dir, "run"),
		"--config-file=" + e.configFile(), "--bridge=none",
		"--add-runtime=capless=" + runtime, "--default-runtime=capless",
	}
}

func (e *Engine) configFile() string { return filepath.Join(e.dir, "daemon.json") }
func (e *Engine) pidFile() string    { return filepath.Join(e.dir, "docker.pid") }
func (e *Engine) logFile() string    { return filepath.Join(e.dir, "dockerd.log") }

func (e *Engine) await(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if e.answers(ctx) == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("dockerd ended: %w: %s", err, e.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %s", e.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lastWords are the last lines of the engine's log.
func (e *Engine) lastWords() string {
	log, _ := os.ReadFile(e.logFile())
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}

// Stop ends an own engine with all its containers, and returns when it has gone. Its images stay on disk. Somebody
// else's engine is left alone.
func (e *Engine) Stop() error {
	if !e.Own {
		return nil
	}
	pid, err := e.pid()
	if err != nil {
		return err
	}
	e.removeContainers()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop dockerd: %w", err)
	}
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(e.pidFile()); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("dockerd (process %d) does not end", pid)
}

// removeContainers removes containers and networks, so that no bridge stays behind on the machine.
func (e *Engine) removeContainers() {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if ids, _ := e.Run(ctx, "ps", "--all", "--quiet"); ids != "" {
		_, _ = e.Run(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...)
	}
	_, _ = e.Run(ctx, "network", "prune", "--force")
}

func (e *Engine) pid() (int, error) {
	data, err := os.ReadFile(e.pidFile())
	if err != nil {
		return 0, fmt.Errorf("find dockerd: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
