package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A record is a head and the JSON of an event:
//
//	mark 4 | length 4 | sequence number 8 | stored at, Unix ns 8 | CRC of the JSON 4 | CRC of the head 4
//
// in little endian. The mark begins with a byte that no UTF-8 contains, so it
// never stands in a payload: from the middle of a damaged record the next one is
// found by searching for it. The CRC-32C of the head covers all before it.
const (
	headSize   = 32
	maxPayload = 4 << 20
)

// mark names the version of the format in its last byte.
var mark = []byte{0xff, 'a', 'e', 1}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendRecord appends the record of payload, whose checksum is sum, to buf.
func appendRecord(buf []byte, seq uint64, at time.Time, payload []byte, sum uint32) []byte {
	start := len(buf)
	buf = append(buf, mark...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(payload)))
	buf = binary.LittleEndian.AppendUint64(buf, seq)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(at.UnixNano()))
	buf = binary.LittleEndian.AppendUint32(buf, sum)
	buf = binary.LittleEndian.AppendUint32(buf, checksum(buf[start:]))
	return append(buf, payload...)
}

// finding is what stands at a place of a segment.
type finding int

const (
	foundEnd    finding = iota // nothing more, or zeros up to the end
	foundRecord                // a whole record
	foundDamage                // bytes that are no record, and perhaps were one
	foundTail                  // as foundDamage, up to the end: a write that was cut short
)

// found is one step through a segment: data[start:end].
type found struct {
	finding
	start, end int
	seq        uint64
	at         time.Time
	payload    []byte // a part of data
}

type head struct {
	length int
	seq    uint64
	at     int64
	sum    uint32
}

// parseHead reports false for what is not the undamaged head of a record.
func parseHead(b []byte) (head, bool) {
	if len(b) < headSize || !bytes.HasPrefix(b, mark) ||
		binary.LittleEndian.Uint32(b[28:]) != checksum(b[:28]) {
		return head{}, false
	}
	h := head{
		length: int(binary.LittleEndian.Uint32(b[4:])),
		seq:    binary.LittleEndian.Uint64(b[8:]),
		at:     int64(binary.LittleEndian.Uint64(b[16:])),
		sum:    binary.LittleEndian.Uint32(b[24:]),
	}
	return h, h.length <= maxPayload
}

// next says what stands at data[off:]. It gives up no more than the damaged
// record: the step after it begins at the next undamaged head.
func next(data []byte, off int) found {
	rest := data[off:]
	if allZero(rest) {
		return found{finding: foundEnd, start: off, end: off}
	}
	h, ok := parseHead(rest)
	whole := ok && headSize+h.length <= len(rest)
	if whole {
		payload := rest[headSize : headSize+h.length]
		if checksum(payload) == h.sum {
			return found{
				finding: foundRecord, start: off, end: off + headSize + h.length,
				seq: h.seq, at: time.Unix(0, h.at), payload: payload,
			}
		}
	}
	f := found{finding: foundDamage, start: off, end: len(data)}
	if n := nextHead(rest); n > 0 {
		f.end = off + n
		return f
	}
	if !whole || headSize+h.length < len(rest) { // otherwise of its full length: not cut short
		f.finding = foundTail
	}
	return f
}

// nextHead finds the first undamaged head behind the start of b, or returns 0.
func nextHead(b []byte) int {
	for at := 1; ; at++ {
		i := bytes.Index(b[at:], mark)
		if i < 0 {
			return 0
		}
		at += i
		if _, ok := parseHead(b[at:]); ok {
			return at
		}
	}
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
