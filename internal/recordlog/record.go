package recordlog

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"iter"
	"time"
)

const (
	headSize = 32
	// MaxPayload is how many bytes a record can hold.
	MaxPayload = 4 << 20
	// maxSeq is the highest sequence number. No log comes near it, and numbers that are
	// added to it do not overflow.
	maxSeq = 1 << 62
)

// mark names the version of the format in its last byte.
var mark = []byte{0xff, 'a', 'e', 1}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// AppendRecord appends a record to buf, in the format of the package comment.
func AppendRecord(buf []byte, seq uint64, at time.Time, payload []byte) []byte {
	start := len(buf)
	buf = append(buf, mark...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(payload)))
	buf = binary.LittleEndian.AppendUint64(buf, seq)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(at.UnixNano()))
	buf = binary.LittleEndian.AppendUint32(buf, checksum(payload))
	buf = binary.LittleEndian.AppendUint32(buf, checksum(buf[start:]))
	return append(buf, payload...)
}

// Step is one step through a segment: a record, or bytes that are not a record.
type Step struct {
	// Start and End are offsets in the segment.
	Start, End int
	// Whole says that a record without damage stands there. The fields after it are
	// those of the record; Payload is a part of the segment.
	Whole   bool
	Seq     uint64
	At      time.Time
	Payload []byte
	// Torn says that the bytes are not a record and reach to the end of the segment, so
	// that they look like a write that was cut short.
	Torn bool
}

// Size is the number of bytes from Start to End.
func (s *Step) Size() int64 { return int64(s.End - s.Start) }

// Steps yields the records in a segment, and the bytes between them that are not records.
func Steps(segment []byte) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for off := 0; ; {
			s, ok := next(segment, off)
			if !ok || !yield(s) {
				return
			}
			off = s.End
		}
	}
}

// next returns the step at data[off:]. It reports false at the end of the records. A step
// over damage ends at the next undamaged head.
func next(data []byte, off int) (s Step, ok bool) {
	rest := data[off:]
	if len(bytes.TrimLeft(rest, "\x00")) == 0 {
		return Step{}, false
	}
	size, ok := recordSize(rest)
	if ok && size <= len(rest) && checksum(rest[headSize:size]) == binary.LittleEndian.Uint32(rest[24:]) {
		return Step{
			Start: off, End: off + size, Whole: true, Seq: binary.LittleEndian.Uint64(rest[8:]),
			At: time.Unix(0, int64(binary.LittleEndian.Uint64(rest[16:]))), Payload: rest[headSize:size],
		}, true
	}
	for at := 1; at < len(rest); at++ {
		if _, ok := recordSize(rest[at:]); ok {
			return Step{Start: off, End: off + at}, true
		}
	}
	// A last record of its full length was not cut short: it is damaged.
	return Step{Start: off, End: len(data), Torn: !ok || size != len(rest)}, true
}

// recordSize returns the size of the record at the start of b. It reports false when b
// does not begin with an undamaged head.
func recordSize(b []byte) (size int, ok bool) {
	if len(b) < headSize || !bytes.HasPrefix(b, mark) ||
		binary.LittleEndian.Uint32(b[28:]) != checksum(b[:28]) {
		return 0, false
	}
	payload, seq := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
	return headSize + int(payload), payload <= MaxPayload && seq > 0 && seq <= maxSeq
}
