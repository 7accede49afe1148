package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/bits"
	"os"
	"syscall"
)

// database reads etcd's database (a file of bbolt's) and believes nothing that stands in it: every number is held against the
// size of the file before it is used. bbolt itself maps the file into memory and follows it: one that is cut off, or whose
// pages point anywhere, ends the process by a fault or a stack without end, which nobody can recover from.
//
// Pages are numbered from 0. The first two are metas, of which the newer whole one counts; it names the root of a tree
// of buckets, and a bucket is the root of a tree again, or lies inline in the place of the root's number.
type database struct {
	file io.ReaderAt
	meta meta
}

// meta is what a meta page says (bbolt: internal/common/meta.go).
type meta struct {
	Magic, Version, PageSize, Flags uint32
	Root, Sequence                  uint64 // of the bucket of buckets
	Freelist                        uint64
	// Pages is how many pages of the file are in use.
	Pages    uint64
	Tx       uint64
	Checksum uint64
}

const (
	metaMagic, metaVersion = 0xED0CDAED, 2
	pageHeader, metaSize   = 16, 64
	branchPage, leafPage   = 0x01, 0x02
	// bucketElement marks an element of a leaf whose value is a bucket: the number of its root, a sequence, and an inline page.
	bucketElement, bucketHeader = 0x01, 16
	// pageLimit is how many bytes of one page are read at most: what we look for is small. depthLimit is far more than any tree has.
	pageLimit, depthLimit = 16 << 20, 32
)

// errDatabase is a file that is no database, or none any more.
var errDatabase = errors.New("the database is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDatabase, fmt.Sprintf(format, args...))
}

// readDatabase looks into a database that no etcd process has open: ErrRunning if one has. Nothing else opens one.
func readDatabase(path string, look func(database) error) error {
	// A pipe in its place must not be waited for.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("reading etcd's database: %w", err)
	}
	defer file.Close()
	if err := openDatabase(file, look); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// openDatabase takes the lock that etcd holds as long as it runs, so that to wait for it is no use.
func openDatabase(file *os.File, look func(database) error) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrRunning
	}
	if err != nil {
		return fmt.Errorf("locking it: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return damaged("it is no regular file")
	}
	db, err := newDatabase(file, info.Size())
	if err != nil {
		return err
	}
	return look(db)
}

// newDatabase is the database in a file of that many bytes.
func newDatabase(file io.ReaderAt, size int64) (database, error) {
	db := database{file: file}
	// The second meta lies one page further, and the first one, which says how large a page is, may be the broken one.
	for at := int64(0); at <= 64<<10; at = max(512, 2*at) {
		m, whole := readMeta(file, at)
		if whole && (at == 0 || at == int64(m.PageSize)) && m.Tx >= db.meta.Tx {
			db.meta = m
		}
	}
	switch m := db.meta; {
	case m.PageSize == 0:
		return db, damaged("neither of its two heads is whole")
	case m.Pages > uint64(size)/uint64(m.PageSize):
		return db, damaged("it is cut off: it has %d bytes, and %d pages of %d in use", size, m.Pages, m.PageSize)
	}
	return db, nil
}

func readMeta(file io.ReaderAt, at int64) (meta, bool) {
	var m meta
	page := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(page, at); err != nil {
		return m, false
	}
	body := page[pageHeader:]
	_, _ = binary.Decode(body, binary.NativeEndian, &m) // it is as long as that
	sum := fnv.New64a()
	_, _ = sum.Write(body[:metaSize-8])
	return m, m.Magic == metaMagic && m.Version == metaVersion && m.Checksum == sum.Sum64() &&
		bits.OnesCount32(m.PageSize) == 1 && m.PageSize >= 512 && m.PageSize <= 64<<10
}

// bucket visits what a bucket holds, in the order of its keys. One that is not there holds nothing, and exists is false.
func (d database) bucket(name string, visit func(key, value []byte) error) (exists bool, err error) {
	var found []byte
	w := walk{db: d}
	err = w.page(d.meta.Root, 0, func(e element) error {
		if string(e.key) == name && e.flags&bucketElement != 0 {
			found = e.value
		}
		return nil
	})
	if err != nil || found == nil {
		return false, err
	}
	w = walk{db: d}
	return true, w.bucket(found, func(e element) error { return visit(e.key, e.value) })
}

// holds says whether there is a bucket of that name.
func (d database) holds(name string) (exists bool, err error) {
	err = (&walk{db: d}).page(d.meta.Root, 0, func(e element) error {
		exists = exists || string(e.key) == name && e.flags&bucketElement != 0
		return nil
	})
	return exists, err
}

// element is one of a leaf's.
type element struct {
	flags      uint32
	key, value []byte
}

// walk goes through one tree. It ends also where the pages lead in a circle.
type walk struct {
	db   database
	seen uint64 // pages visited so far
}

func (w *walk) bucket(value []byte, visit func(element) error) error {
	if len(value) < bucketHeader {
		return damaged("a bucket of %d bytes", len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return w.page(root, 0, visit)
	}
	return w.visit(value[bucketHeader:], 0, visit)
}

// page visits the page of that number, and all below it.
func (w *walk) page(number uint64, depth int, visit func(element) error) error {
	if w.seen++; w.seen > w.db.meta.Pages || depth > depthLimit {
		return damaged("its pages lead in a circle")
	}
	page, err := w.db.page(number)
	if err != nil {
		return err
	}
	return w.visit(page, depth, visit)
}

// page is the page of that number with all that it overflows into.
func (d database) page(number uint64) ([]byte, error) {
	size := uint64(d.meta.PageSize)
	header := make([]byte, pageHeader)
	if number < 2 || number >= d.meta.Pages {
		return nil, damaged("there is no page %d", number)
	}
	if _, err := d.file.ReadAt(header, int64(number*size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", number, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(header[12:]))
	if binary.NativeEndian.Uint64(header) != number || overflow >= d.meta.Pages-number || (overflow+1)*size > pageLimit {
		return nil, damaged("page %d is not what it should be", number)
	}
	page := make([]byte, (overflow+1)*size)
	if _, err := d.file.ReadAt(page, int64(number*size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", number, err)
	}
	return page, nil
}

// visit visits the elements of a page.
func (w *walk) visit(page []byte, depth int, visit func(element) error) error {
	if len(page) < pageHeader {
		return damaged("a page of %d bytes", len(page))
	}
	kind, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	for i := range count {
		switch kind {
		case branchPage:
			child, err := branchElement(page, pageHeader+i*16)
			if err == nil {
				err = w.page(child, depth+1, visit)
			}
			if err != nil {
				return err
			}
		case leafPage:
			e, err := leafElement(page, pageHeader+i*16)
			if err == nil {
				err = visit(e)
			}
			if err != nil {
				return err
			}
		default:
			return damaged("a page of kind %#x among its trees", kind)
		}
	}
	return nil
}

// branchElement is the number of the page that an element leads to: position and size of its key, which nobody needs, come before it.
func branchElement(page []byte, at int) (uint64, error) {
	if at+16 > len(page) {
		return 0, damaged("a page has more elements than room")
	}
	return binary.NativeEndian.Uint64(page[at+8:]), nil
}

// leafElement is the element described there: flags, the distance of key and value from here, and their sizes.
func leafElement(page []byte, at int) (element, error) {
	if at+16 > len(page) {
		return element{}, damaged("a page has more elements than room")
	}
	var numbers [4]uint32
	_, _ = binary.Decode(page[at:], binary.NativeEndian, &numbers)
	key := uint64(at) + uint64(numbers[1])
	value := key + uint64(numbers[2])
	end := value + uint64(numbers[3])
	if end > uint64(len(page)) {
		return element{}, damaged("an element reaches beyond its page")
	}
	// Of its own: what is kept of it must not keep the page.
	return element{flags: numbers[0], key: bytes.Clone(page[key:value]), value: bytes.Clone(page[value:end])}, nil
}
