package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

const (
	markMagic = 0x314d534b // "KSM1"
	markLen   = 32
	markClean = 1
)

// mark is a small file beside the log with the highest index acknowledged and
// forgotten. It is overwritten after every group without an fsync of its own:
// after a crash of the process it is exact, after a power cut it is a lower
// bound. It tells a torn write nobody was promised, which may be cut, from a
// damaged record that was acknowledged, which must be reported: the log itself
// cannot tell them apart.
type mark struct {
	mu        sync.Mutex
	f         *os.File
	acked     uint64
	forgotten uint64
	buf       [markLen]byte
}

var errMarkDamaged = errors.New("mark file damaged")

// openMark opens or creates dir's mark file. clean tells that the spool was
// closed in order. A damaged mark is returned as errMarkDamaged beside a usable,
// empty mark.
func openMark(dir string) (m *mark, clean bool, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "mark"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	m = &mark{f: f}
	n, _ := f.ReadAt(m.buf[:], 0)
	if n == 0 {
		return m, false, nil
	}
	le := binary.LittleEndian
	if n < markLen || le.Uint32(m.buf[0:]) != markMagic || le.Uint32(m.buf[28:]) != crc32.Checksum(m.buf[:28], castagnoli) {
		return m, false, errMarkDamaged
	}
	m.acked = le.Uint64(m.buf[8:])
	m.forgotten = le.Uint64(m.buf[16:])
	return m, le.Uint32(m.buf[4:])&markClean != 0, nil
}

func (m *mark) setAcked(i uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked = i
	return m.write(0)
}

func (m *mark) setForgotten(i uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgotten = i
	return m.write(0)
}

// sync makes the mark durable; flags is markClean at an orderly close.
func (m *mark) sync(flags uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(flags); err != nil {
		return err
	}
	return m.f.Sync()
}

func (m *mark) write(flags uint32) error {
	le := binary.LittleEndian
	le.PutUint32(m.buf[0:], markMagic)
	le.PutUint32(m.buf[4:], flags)
	le.PutUint64(m.buf[8:], m.acked)
	le.PutUint64(m.buf[16:], m.forgotten)
	le.PutUint32(m.buf[24:], 0)
	le.PutUint32(m.buf[28:], crc32.Checksum(m.buf[:28], castagnoli))
	if _, err := m.f.WriteAt(m.buf[:], 0); err != nil {
		return fmt.Errorf("writing the spool's mark: %w", err)
	}
	return nil
}
