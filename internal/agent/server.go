package agent

import (
	"encoding/json"
	"net"
	"net/http"
	"time"
)

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
