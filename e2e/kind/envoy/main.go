// Envoy stands in for envoy, which Debian does not have, as the load balancer that kind v0.33.0 puts before several
// masters. It is started as envoy is and follows the files that kind writes for it: TCP connections go in turn to the
// backends whose health checks pass, and to all of them while fewer than half pass, as with an envoy that is told no
// panic threshold. It is not envoy and knows nothing else of it: whatever it does not follow, it refuses by name.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often the files are looked at. Envoy is told by inotify; kind gives it as long as it likes.
const lookEvery = 100 * time.Millisecond

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds)
	log.SetOutput(os.Stdout)
	file := flag.String("c", "", "the bootstrap configuration")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if err := run(ctx, *file); err != nil {
		stop()
		log.Fatal(err)
	}
}

// run follows the files that the bootstrap configuration names until ctx is done.
func run(ctx context.Context, file string) error {
	paths, err := readBootstrap(file)
	if err != nil {
		return err
	}
	b := &balancer{}
	defer b.close()
	clusters, listeners := followed{path: paths.clusters, take: b.takeCluster}, followed{path: paths.listeners, take: b.takeListener}
	for {
		clusters.look(ctx)
		listeners.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
	}
}

// followed is a file that is replaced by others as long as the program runs.
type followed struct {
	path  string
	take  func(ctx context.Context, content []byte) error
	taken string
}

// look takes what is new. What can not be taken is said once, and what was taken before stays, as with envoy.
func (f *followed) look(ctx context.Context) {
	content, err := os.ReadFile(f.path)
	if err != nil || string(content) == f.taken {
		return
	}
	f.taken = string(content)
	if err := f.take(ctx, content); err != nil {
		log.Printf("%s: %v", f.path, err)
		return
	}
	log.Printf("%s taken", f.path)
}
