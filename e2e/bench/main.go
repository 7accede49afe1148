// Bench measures how long a first master takes, tripod beside kubeadm and beside what is possible at all, in one run,
// alternating, on the same machine with the same binaries; and what tripod itself costs. It exits 1 where a bound that
// tripod has set itself is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"tripod.dev/tripod/e2e/lab"
)

func main() {
	log.SetFlags(0)
	runs := flag.Int("n", 5, "runs of each contender")
	only := flag.String("only", "", "letters of the contenders to run (abcdef...); empty is all")
	output := flag.String("o", "text", "text or json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	r, err := measure(ctx, *runs, *only)
	if err != nil {
		log.Fatal("bench: ", err)
	}
	show := r.text
	if *output == "json" {
		show = r.json
	}
	if err := show(os.Stdout); err != nil {
		log.Fatal("bench: ", err)
	}
	if r.missed() {
		stop()
		os.Exit(1)
	}
}

// measure runs the contenders in turn, so that a slow minute of the machine meets them all.
func measure(ctx context.Context, runs int, only string) (report, error) {
	l, err := lab.Find()
	if err != nil {
		return report{}, err
	}
	b := &bench{lab: l}
	defer b.close()
	chosen := choose(only)
	r := report{Runs: runs, Samples: map[string][]sample{}}
	for i := range runs {
		for _, c := range chosen {
			s, err := c.run(ctx, b)
			if err != nil {
				return r, fmt.Errorf("(%s) %s: %w", c.letter, c.what, err)
			}
			log.Printf("run %d of %d  (%s) %-40s %6.2f s", i+1, runs, c.letter, c.what, s.Seconds)
			r.Samples[c.letter] = append(r.Samples[c.letter], s)
		}
	}
	return r, r.weigh(l)
}

func choose(only string) []contender {
	if only == "" {
		return contenders
	}
	var chosen []contender
	for _, c := range contenders {
		if strings.Contains(only, c.letter) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
