package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is the first process of a container.
type process struct {
	pid     int
	mark    marker
	adopted bool // an earlier agent started it
	signal  func(syscall.Signal) error
	// exited yields the end once.
	exited <-chan ExitState
}

// launch starts the pod's program in a session of its own, writing straight to its log file, so that it
// neither dies with the agent nor blocks on it.
func launch(p pod, mark marker) (*process, error) {
	for _, m := range p.Mounts {
		if err := m.prepare(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(mark.Log), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(mark.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.Program, p.Args...)
	cmd.Env, cmd.Dir = append(p.Env[:len(p.Env):len(p.Env)], mark.String()), p.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Program, err)
	}
	return watchChild(cmd, mark), nil
}

func watchChild(cmd *exec.Cmd, mark marker) *process {
	exited := make(chan ExitState, 1)
	go func() {
		err := cmd.Wait()
		at := time.Now()
		sweep(mark)
		exited <- childExit(cmd.ProcessState, err, at).withLog(mark.Log)
	}()
	return &process{
		pid: cmd.Process.Pid, mark: mark, exited: exited,
		signal: func(sig syscall.Signal) error { return cmd.Process.Signal(sig) },
	}
}

// childExit reads the wait status; a signal counts as 128 and its number, as container runtimes have it.
func childExit(state *os.ProcessState, err error, at time.Time) ExitState {
	failed := new(exec.ExitError)
	if err != nil && !errors.As(err, &failed) {
		return ExitState{Code: -1, Reason: "Unknown", Message: err.Error(), At: at}
	}
	end := ExitState{Code: state.ExitCode(), Reason: "Error", At: at}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end.Code = 128 + int(status.Signal())
		end.Signal = status.Signal().String()
		end.Message = "ended by signal: " + end.Signal
	}
	if end.Code == 0 {
		end.Reason = "Completed"
	}
	return end
}

// adopt takes over a process that an earlier agent started. It is not our child, so its exit code stays unknown.
func adopt(m marked) *process {
	exited := make(chan ExitState, 1)
	go func() {
		m.wait()
		at := time.Now()
		sweep(m.marker)
		end := ExitState{Code: -1, Reason: "Unknown", At: at}
		end.Message = "the exit code is not known: an earlier agent had started the process"
		exited <- end.withLog(m.Log)
	}()
	return &process{pid: m.pid, mark: m.marker, adopted: true, exited: exited, signal: m.signal}
}

// end asks the process to end and kills it when the grace is over; nil if the agent goes away meanwhile.
func (p *process) end(leave <-chan struct{}, grace time.Duration) *ExitState {
	// An error means that it is gone already, which exited tells.
	_ = p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case end := <-p.exited:
			return &end
		case <-leave:
			return nil
		case <-timer.C:
			_ = p.signal(syscall.SIGKILL)
		}
	}
}
