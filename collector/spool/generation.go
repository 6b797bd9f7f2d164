package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// generation is one raft-wal log in a directory of its own, named after its
// first record. The spool appends to the last one only. A new one is begun
// whenever the last may have a hole in it: after a failed write or fsync and
// after a crash.
type generation struct {
	dir   string
	wal   *wal.WAL
	meta  *metadb.BoltMetaDB
	first uint64 // first record, by the directory's name

	// last record that counts; of the active generation the last acknowledged.
	// 0 while there is none.
	last uint64
	// events and bytes up to and with last, since the generation began.
	events, bytes uint64
	nextEntry     uint64 // raft-wal index of the next block
	cutBytes      uint64 // bytesBefore of the first block kept on disk
}

const (
	generationPrefix = "log-"
	gonePrefix       = "gone-" // of a generation that is being removed
)

func generationDir(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf(generationPrefix+"%020d", first))
}

// removeGeneration deletes a generation's directory. It is renamed first: a crash in the middle must not leave half of a log behind, which
// could not be opened.
func removeGeneration(dir string) error {
	parent, name := filepath.Split(dir)
	gone := filepath.Join(parent, gonePrefix+name)
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(dir, gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(syncDir(parent), os.RemoveAll(gone))
}

// listGenerations returns the first records of the generations in dir, ascending, and finishes removals that a crash interrupted.
func listGenerations(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var firsts []uint64
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), gonePrefix+generationPrefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		var first uint64
		if n, err := fmt.Sscanf(e.Name(), generationPrefix+"%020d", &first); err == nil && n == 1 && e.IsDir() {
			firsts = append(firsts, first)
		}
	}
	sort.Slice(firsts, func(i, j int) bool { return firsts[i] < firsts[j] })
	return firsts, nil
}

func openGeneration(dir string, first uint64, fs types.VFS, segmentBytes int, log *slog.Logger) (g *generation, err error) {
	g = &generation{dir: generationDir(dir, first), first: first, meta: &metadb.BoltMetaDB{}}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		// bbolt panics on pages it cannot make sense of.
		if p := recover(); p != nil {
			err = fmt.Errorf("reading %s: %v", filepath.Join(g.dir, metadb.FileName), p)
		}
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	g.wal, err = wal.Open(g.dir,
		wal.WithCodec(codec{}),
		wal.WithMetaStore(metaStore{g.meta}),
		wal.WithSegmentFiler(filer{segment.NewFiler(g.dir, fs)}),
		wal.WithSegmentSize(segmentBytes),
		wal.WithLogger(hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: logWriter{log}, DisableTime: true})),
	)
	if err != nil {
		return g, fmt.Errorf("opening %s: %w", g.dir, err)
	}
	lastEntry, err := g.wal.LastIndex()
	if err != nil {
		return g, err
	}
	g.nextEntry = lastEntry + 1
	if lastEntry > 0 {
		b, err := g.readBlock(lastEntry)
		if err != nil {
			return g, err
		}
		g.last = b.last()
		if err := g.count(b); err != nil {
			return g, err
		}
	}
	return g, nil
}

// count sets the totals from the block that holds g.last.
func (g *generation) count(b block) error {
	var err error
	g.events, g.bytes, err = b.totalsAt(g.last)
	return err
}

// cutAt leaves out of account all records from next on: the following generation
// begins there.
func (g *generation) cutAt(next uint64) error {
	if g.last < next {
		return nil
	}
	if next == g.first {
		g.last, g.events, g.bytes = 0, 0, 0
		return nil
	}
	_, b, err := g.find(next - 1)
	if err != nil {
		return err
	}
	g.last = next - 1
	return g.count(b)
}

func (g *generation) empty() bool { return g.last == 0 }

func (g *generation) close() error {
	var err error
	if g.wal != nil {
		err = g.wal.Close()
	}
	return errors.Join(err, g.meta.Close())
}

// sync makes what the kernel holds of the generation durable.
func (g *generation) sync() error {
	files, err := filepath.Glob(filepath.Join(g.dir, "*.wal"))
	if err != nil {
		return err
	}
	for _, name := range files {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return syncDir(g.dir)
}

// remove closes the generation and deletes its directory.
func (g *generation) remove() error {
	return errors.Join(g.close(), removeGeneration(g.dir))
}

// block is one entry of the log, its header verified.
type block struct {
	blockHeader
	records []byte
}

// totalsAt returns the generation's events and bytes up to and with record i of
// the block.
func (b block) totalsAt(i uint64) (events, bytes uint64, err error) {
	events, bytes = b.eventsBefore, b.bytesBefore+blockHeaderLen
	rest := b.records
	for n := b.first; n <= i && n <= b.last(); n++ {
		r, size, err := readRecord(rest)
		if size == 0 {
			return 0, 0, err
		}
		if err == nil { // a damaged record is reported when it is read
			events += uint64(r.Events)
		}
		bytes += uint64(size)
		rest = rest[size:]
	}
	return events, bytes, nil
}

func (g *generation) readBlock(entry uint64) (block, error) {
	var l raft.Log
	if err := g.wal.GetLog(entry, &l); err != nil {
		return block{}, err
	}
	h, err := readBlockHeader(l.Data)
	if err != nil {
		return block{}, err
	}
	return block{blockHeader: h, records: l.Data[blockHeaderLen:]}, nil
}

// entries returns the range of raft-wal indexes that exist.
func (g *generation) entries() (first, last uint64, err error) {
	if first, err = g.wal.FirstIndex(); err != nil {
		return 0, 0, err
	}
	last, err = g.wal.LastIndex()
	return first, last, err
}

// find returns the entry whose block holds record i. When that block cannot be
// read, its entry is returned with the error.
func (g *generation) find(i uint64) (entry uint64, b block, err error) {
	lo, hi, err := g.entries()
	if err != nil {
		return 0, block{}, err
	}
	if n := i - g.first + 1; hi > n { // every block holds at least one record
		hi = n
	}
	for lo < hi {
		mid := lo + (hi-lo+1)/2
		b, err := g.readBlock(mid)
		if err != nil {
			lo = g.lastReadableFrom(lo, hi, i)
			break
		}
		if b.first <= i {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	b, err = g.readBlock(lo)
	if err == nil && i > b.last() {
		lo++
		if b, err = g.readBlock(lo); err == nil {
			err = errBlockOrder // a readable block here would have been found
		}
	}
	return lo, b, err
}

// lastReadableFrom walks from lo to hi for the last readable block that begins at
// or before record i: the way round damaged blocks, which binary search lacks.
func (g *generation) lastReadableFrom(lo, hi, i uint64) uint64 {
	found := lo
	for e := lo + 1; e <= hi; e++ {
		b, err := g.readBlock(e)
		if err != nil {
			continue
		}
		if b.first > i {
			break
		}
		found = e
	}
	return found
}

// segmentOf names the segment file that holds an entry, for messages.
func (g *generation) segmentOf(entry uint64) string {
	files, err := filepath.Glob(filepath.Join(g.dir, "*.wal"))
	if err != nil {
		return g.dir
	}
	name := g.dir
	for _, f := range files { // sorted by base index
		var base, id uint64
		if _, err := fmt.Sscanf(strings.TrimSuffix(filepath.Base(f), ".wal"), "%020d-%016x", &base, &id); err == nil && base <= entry {
			name = f
		}
	}
	return name
}

// codec stores a block as it is: raft's term, type and time would be dead weight.
type codec struct{}

const codecID = 0x4b534231 // "KSB1"

func (codec) ID() uint64 { return codecID }

// raft-wal v0.4.0 takes a codec but labels every new segment with its own codec's
// number, and then refuses to open it. filer and metaStore set the label right, in
// the segment's file header and in the meta database.

type filer struct{ types.SegmentFiler }

func (f filer) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	info.Codec = codecID
	return f.SegmentFiler.Create(info)
}

type metaStore struct{ *metadb.BoltMetaDB }

func (m metaStore) CommitState(st types.PersistentState) error {
	for i := range st.Segments {
		st.Segments[i].Codec = codecID
	}
	return m.BoltMetaDB.CommitState(st)
}

func (codec) Encode(l *raft.Log, w io.Writer) error {
	// raft-wal hands over an empty buffer and copies it into its own before
	// StoreLogs returns; lending it the block saves one more copy.
	if b, ok := w.(*bytes.Buffer); ok && b.Len() == 0 {
		*b = *bytes.NewBuffer(l.Data)
		return nil
	}
	_, err := w.Write(l.Data)
	return err
}

func (codec) Decode(b []byte, l *raft.Log) error {
	l.Data = bytes.Clone(b)
	return nil
}

// logWriter passes raft-wal's warnings on.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Warn("spool log", "message", string(bytes.TrimSpace(p)))
	return len(p), nil
}
