package kind

import (
	"archive/tar"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tripod.dev/tripod/e2e/docker"
)

// balancer is the image of the load balancer that a version of kind runs before several masters.
type balancer struct {
	name    string   // as kind calls it, but for the docker.io/ that docker leaves out
	changes []string // what docker must know about it
	program string   // a program of ours that takes the place of what Debian does not have; "" is none
	config  string   // what is followed until kind writes its own; "" is nothing
}

// pullTime is how long an engine may take to get the real image.
const pullTime = 2 * time.Minute

// balancers are the images by the version of kind. Neither is the real one: the older has Debian's HAProxy, the newest a
// program that does of envoy's work what kind asks for (see the package envoy).
var balancers = map[string]balancer{
	Newest: {name: "envoyproxy/envoy:v1.36.2", program: "envoy"},
	Older: {
		name: "kindest/haproxy:v20230606-42a2262b",
		// kind's file wants 100000 connections, which takes more open files than some machines allow; -n has the last word.
		changes: []string{`ENTRYPOINT ["haproxy", "-W", "-db", "-n", "4000", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]`},
		config:  "frontend control-plane\n  bind *:6443\n  mode tcp\n  timeout client 50s\n", // HAProxy does not start without any
	},
}

// balancerTools is what both images have: HAProxy, and the programs that kind writes files and sends signals with.
func balancerTools() rootfs {
	return rootfs{
		name: "balancer", variant: "extract", include: []string{"bash", "coreutils", "dash", "haproxy", "procps"},
		hooks: []string{
			`ln -sf dash "$1"/bin/sh`,
			`rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt "$1"/var/lib/dpkg "$1"/var/cache`,
		},
	}
}

// Balancer sees to it that the engine has the image of the load balancer that kind runs before several masters: the real
// one if it is there, or if an engine that is not ours can get it, else one that is made here and says so by its label.
func (c Cluster) Balancer(ctx context.Context) error {
	if c.Masters < 2 {
		return nil
	}
	b := balancers[c.version()]
	made, err := c.Engine.Run(ctx, "image", "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", label), b.name)
	if err == nil && made == "" || err != nil && b.pull(ctx, c.Engine) {
		return nil
	}
	if err := c.makeBalancer(ctx, b); err != nil {
		return fmt.Errorf("load balancer's image: %w", err)
	}
	return nil
}

// pull gets the real image, if it can be had.
func (b balancer) pull(ctx context.Context, e *docker.Engine) bool {
	if e.Own {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	_, err := e.Run(ctx, "pull", b.name)
	return err == nil
}

func (c Cluster) makeBalancer(ctx context.Context, b balancer) error {
	tools, err := balancerTools().make(ctx, filepath.Join(c.Lab.Root, "bin", "e2e", "node"))
	if err != nil {
		return err
	}
	inputs := []string{tools}
	if b.program != "" {
		b.program = filepath.Join(c.Lab.Root, "bin", "e2e", b.program)
		inputs = append(inputs, b.program)
	}
	key, err := keyOf(fmt.Sprint(b), inputs...)
	if err != nil || c.Engine.Has(ctx, b.name, label, key) {
		return err
	}
	from := "tripod/balancer:" + release
	if err := c.Engine.Import(ctx, tools, from); err != nil {
		return err
	}
	return c.Engine.AddLayer(ctx, b.name, docker.Layer{From: from, Changes: append(labels(key), b.changes...), Write: b.files})
}

func (b balancer) files(w *tar.Writer) error {
	if b.program != "" {
		return docker.AddFile(w, "usr/local/bin/"+filepath.Base(b.program), b.program, 0o755)
	}
	return writeFile(w, "usr/local/etc/haproxy/haproxy.cfg", b.config, 0o644)
}
