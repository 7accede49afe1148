// Cmd is what `make kind-image`, `make kind-up` and `make kind-down` run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"tripod.dev/tripod/e2e/docker"
	"tripod.dev/tripod/e2e/kind"
	"tripod.dev/tripod/e2e/lab"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := command{}
	flag.StringVar(&c.recipe.Version, "version", lab.Default, "Kubernetes version")
	flag.BoolVar(&c.recipe.Kubeadm, "kubeadm", false, "use the real kubeadm instead of tripod")
	flag.StringVar(&c.cluster.Name, "name", "tripod", "name of the cluster")
	flag.StringVar(&c.cluster.Kind, "kind", kind.Newest, "version of kind: "+kind.Newest+" or "+kind.Older)
	flag.IntVar(&c.cluster.Masters, "masters", 1, "number of masters")
	flag.IntVar(&c.cluster.Workers, "workers", 0, "number of workers beside the masters")
	flag.Parse()
	if err := c.run(ctx, flag.Arg(0)); err != nil {
		stop()
		log.Fatal(err)
	}
}

type command struct {
	lab     lab.Lab
	recipe  kind.Recipe
	cluster kind.Cluster
}

func (c *command) run(ctx context.Context, verb string) (err error) {
	if c.lab, err = lab.Find(); err != nil {
		return err
	}
	switch verb {
	case "image":
		return c.image(ctx)
	case "up":
		return c.up(ctx)
	case "down":
		return c.down(ctx)
	}
	return fmt.Errorf("unknown command %q\nhint: image, up or down", verb)
}

func (c *command) image(ctx context.Context) error {
	engine, err := docker.Open(ctx, c.lab)
	if err != nil {
		return err
	}
	name, err := kind.Image(ctx, c.lab, engine, c.recipe)
	if err == nil {
		fmt.Println(name)
	}
	return err
}

func (c *command) up(ctx context.Context) error {
	engine, err := docker.Open(ctx, c.lab)
	if err != nil {
		return err
	}
	image, err := kind.Image(ctx, c.lab, engine, c.recipe)
	if err != nil {
		return err
	}
	c.cluster.Lab, c.cluster.Engine, c.cluster.Image, c.cluster.Wait = c.lab, engine, image, 2*time.Minute
	if err := c.cluster.Create(ctx, os.Stderr); err != nil {
		return err
	}
	if engine.Host != "" {
		fmt.Println("export DOCKER_HOST=" + engine.Host)
	}
	fmt.Println("export KUBECONFIG=" + c.cluster.KubeconfigFile())
	return nil
}

// down deletes the cluster, and stops the engine if it is ours.
func (c *command) down(ctx context.Context) error {
	engine := docker.Kept(ctx, c.lab)
	if engine == nil {
		engine = &docker.Engine{Host: os.Getenv("DOCKER_HOST")}
	}
	c.cluster.Lab, c.cluster.Engine = c.lab, engine
	return errors.Join(c.cluster.Delete(ctx), engine.Stop())
}
