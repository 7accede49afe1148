// Images writes the container images of the components as OCI archives, one per Kubernetes version, for
// `ctr --namespace k8s.io images import`. Each image is one static binary, under the name that the real one has.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tripod.dev/tripod/e2e/lab"
)

func main() {
	log.SetFlags(0)
	out := flag.String("o", "", "folder for the archives; empty is bin/images")
	flag.Parse()
	l, err := lab.Find()
	if err != nil {
		log.Fatal(err)
	}
	if *out == "" {
		*out = filepath.Join(l.Root, "bin", "images")
	}
	for _, version := range []string{lab.Default, lab.PreviousMinor} {
		path := filepath.Join(*out, version+".tar")
		if err := write(path, l.Images(version)); err != nil {
			log.Fatal(err)
		}
		fmt.Println(path)
	}
}

func write(path string, images []lab.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := lab.WriteArchive(file, images); err != nil {
		return err
	}
	return file.Close()
}
