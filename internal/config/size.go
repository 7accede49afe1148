package config

import (
	"io"
	"os"
)

// sizeLimit is how many bytes a configuration may have: a hundred times what all documents with all their fields take.
const sizeLimit = 1 << 20

// ReadFile reads a configuration file, or no more of it than shows Load that it is too large.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f)
}

// Read is ReadFile of what is open already.
func Read(from io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(from, sizeLimit+1)) }
