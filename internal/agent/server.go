package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// listen makes the socket. Who connects waits until serve is called.
func listen(path string) (net.Listener, error) {
	if err := removeDead(path); err != nil {
		return nil, err
	}
	listener, err := private().Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the agent's socket: %w", err)
	}
	return listener, nil
}

// serve answers:
//
//	GET  /state     the State
//	POST /nudge     lists the manifest directory now, and answers when that is done
//	POST /shutdown  ends all pods, then the agent; answers at once
func (a *agent) serve(listener net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", a.serveState)
	mux.HandleFunc("POST /nudge", a.serveNudge)
	mux.HandleFunc("POST /shutdown", a.serveShutdown)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }
}

// removeDead makes room for the socket. One at which somebody still answers, or that is no socket, stays.
func removeDead(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist) { // one that hangs need not even accept
		return fmt.Errorf("socket %s: %w\nhint: choose another one with --socket", path, errLocked)
	}
	return os.Remove(path)
}

// private makes sockets with mode 0600: set before the socket is bound, so that there is no moment with another one.
func private() *net.ListenConfig {
	return &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
}

func (a *agent) serveState(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The client has gone if this fails.
	_ = json.NewEncoder(w).Encode(a.board.state())
}

func (a *agent) serveNudge(w http.ResponseWriter, r *http.Request) {
	answer := make(chan struct{})
	select {
	case a.nudges <- answer:
		<-answer
		w.WriteHeader(http.StatusNoContent)
	case <-a.stopping:
		http.Error(w, "the agent is ending", http.StatusServiceUnavailable)
	case <-r.Context().Done():
	}
}

func (a *agent) serveShutdown(w http.ResponseWriter, _ *http.Request) {
	select {
	case a.quit <- struct{}{}:
	default: // said before
	}
	w.WriteHeader(http.StatusAccepted)
}
