// Hold listens on the addresses given and does nothing else: somebody else's process that has the port.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	for _, address := range os.Args[1:] {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Fprintln(os.Stderr, "hold:", err)
			os.Exit(1)
		}
		go ignore(listener)
	}
	fmt.Println("holding", os.Args[1:])
	select {}
}

// ignore takes connections and says nothing.
func ignore(listener net.Listener) {
	for {
		if _, err := listener.Accept(); err != nil {
			return
		}
	}
}
