// Hold listens on the addresses given and does nothing else: somebody else's process that has the port.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	for _, address := range os.Args[1:] {
		if _, err := net.Listen("tcp", address); err != nil {
			fmt.Fprintln(os.Stderr, "hold:", err)
			os.Exit(1)
		}
	}
	fmt.Println("holding", os.Args[1:])
	select {}
}
