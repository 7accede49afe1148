package host

import (
	"errors"
	"io/fs"
	"os"
)

// A Kind is what lies at a path, as volumes of pods tell it.
type Kind string

// The kinds that a volume can ask for, and what is none of them.
const (
	Directory       Kind = "directory"
	RegularFile     Kind = "file"
	Socket          Kind = "socket"
	CharacterDevice Kind = "character device"
	BlockDevice     Kind = "block device"
	OtherKind       Kind = "pipe or the like"
)

// Look says what lies at a path, links followed; "" if nothing does.
func (h *Host) Look(path string) (Kind, error) {
	info, err := os.Stat(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return Directory, nil
	case mode.IsRegular():
		return RegularFile, nil
	case mode&fs.ModeSocket != 0:
		return Socket, nil
	case mode&fs.ModeCharDevice != 0:
		return CharacterDevice, nil
	case mode&fs.ModeDevice != 0:
		return BlockDevice, nil
	}
	return OtherKind, nil
}
