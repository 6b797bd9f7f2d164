package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The layout of blocks and records is drawn in FORMAT.md.
const (
	blockMagic      = 0x3142534b // "KSB1"
	blockHeaderLen  = 48
	recordHeaderLen = 24

	// MaxRecordBytes is the largest Data one record may carry.
	MaxRecordBytes = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errBlockMagic    = errors.New("not a block")
	errBlockChecksum = errors.New("block header checksum mismatch")
	errBlockLength   = errors.New("block length mismatch")
	errBlockOrder    = errors.New("block out of order")
	errRecordCRC     = errors.New("record checksum mismatch")
	errRecordLength  = errors.New("record length mismatch")
)

// blockHeader describes one group of records that was written with one fsync.
type blockHeader struct {
	first        uint64 // index of the first record
	eventsBefore uint64 // events of all earlier records of the generation
	bytesBefore  uint64 // bytes of all earlier blocks of the generation
	count        uint32
	payload      uint32 // bytes of the records
}

func (h blockHeader) last() uint64 { return h.first + uint64(h.count) - 1 }

// putBlockHeader writes h over the first blockHeaderLen bytes of b.
func putBlockHeader(b []byte, h blockHeader) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], blockMagic)
	le.PutUint64(b[8:], h.first)
	le.PutUint64(b[16:], h.eventsBefore)
	le.PutUint64(b[24:], h.bytesBefore)
	le.PutUint32(b[32:], h.count)
	le.PutUint32(b[36:], h.payload)
	le.PutUint64(b[40:], 0)
	le.PutUint32(b[4:], crc32.Checksum(b[8:blockHeaderLen], castagnoli))
}

func readBlockHeader(b []byte) (blockHeader, error) {
	var h blockHeader
	le := binary.LittleEndian
	if len(b) < blockHeaderLen || le.Uint32(b) != blockMagic {
		return h, errBlockMagic
	}
	if le.Uint32(b[4:]) != crc32.Checksum(b[8:blockHeaderLen], castagnoli) {
		return h, errBlockChecksum
	}
	h = blockHeader{
		first:        le.Uint64(b[8:]),
		eventsBefore: le.Uint64(b[16:]),
		bytesBefore:  le.Uint64(b[24:]),
		count:        le.Uint32(b[32:]),
		payload:      le.Uint32(b[36:]),
	}
	if h.count == 0 || int(h.payload) != len(b)-blockHeaderLen {
		return h, errBlockLength
	}
	return h, nil
}

// recordHeader builds the header of r; its checksum covers the header's other
// fields and the data.
func recordHeader(r Record) [recordHeaderLen]byte {
	var b [recordHeaderLen]byte
	le := binary.LittleEndian
	le.PutUint32(b[4:], uint32(len(r.Data)))
	le.PutUint32(b[8:], uint32(r.Events))
	b[12] = byte(r.Kind)
	le.PutUint64(b[16:], r.Tag)
	sum := crc32.Checksum(b[4:], castagnoli)
	le.PutUint32(b[0:], crc32.Update(sum, castagnoli, r.Data))
	return b
}

// readRecord reads the record at the start of b. The returned data aliases b.
// n is where the next record would begin, even when the checksum is wrong; it is
// 0 when the length itself cannot be right.
func readRecord(b []byte) (r Record, n int, err error) {
	if len(b) < recordHeaderLen {
		return r, 0, errRecordLength
	}
	le := binary.LittleEndian
	l := int(le.Uint32(b[4:]))
	if l > MaxRecordBytes || recordHeaderLen+l > len(b) {
		return r, 0, fmt.Errorf("%w: %d bytes in a block that has %d left", errRecordLength, l, len(b)-recordHeaderLen)
	}
	n = recordHeaderLen + l
	if le.Uint32(b) != crc32.Checksum(b[4:n], castagnoli) {
		return r, n, errRecordCRC
	}
	return Record{
		Kind:   Kind(b[12]),
		Events: int(le.Uint32(b[8:])),
		Tag:    le.Uint64(b[16:]),
		Data:   b[recordHeaderLen:n:n],
	}, n, nil
}
