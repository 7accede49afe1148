// Echo is what the tests' pods run: it answers HTTP with the name of its host, and asks an address itself for whoever
// asks it for /ask?url=...: that is how a test talks from inside of a pod.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	http.HandleFunc("GET /ask", ask)
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func ask(w http.ResponseWriter, r *http.Request) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // each time a new one behind a Service
	answer, err := client.Get(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}
