package host

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
)

// The end of a log that is looked at: so many lines, in so many bytes.
const (
	tailLines = 20
	tailBytes = 32 << 10
)

// tailCRILog is the last lines, without blank ones, that a container wrote, from the file in which the runtime
// keeps them; none if it can not be read. The file's format is the CRI's: time, stream,
// F for a whole line or P for a part of one, text.
func (h *Host) tailCRILog(path string) []string {
	if path == "" {
		return nil
	}
	data, err := tail(h.Path(path))
	if err != nil {
		return nil
	}
	return parseCRILog(data)
}

// tail is the last whole lines of a file.
func tail(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	start := max(0, info.Size()-tailBytes)
	data, err := io.ReadAll(io.NewSectionReader(f, start, tailBytes))
	if err != nil || start == 0 {
		return data, err
	}
	_, data, _ = bytes.Cut(data, []byte("\n"))
	return data, nil
}

func parseCRILog(data []byte) []string {
	var lines []string
	var part strings.Builder
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), " ", 4)
		if len(fields) < 4 {
			continue
		}
		part.WriteString(fields[3])
		if strings.HasPrefix(fields[2], "P") {
			continue
		}
		lines = append(lines, part.String())
		part.Reset()
	}
	lines = append(lines, part.String())
	// etcd's usage, which it prints below what is wrong with a flag, is mostly blank lines.
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	return lines[max(0, len(lines)-tailLines):]
}
