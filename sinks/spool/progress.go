package spool

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
)

// progress says up to which sequence number everything is delivered. It lies in
// a file of two slots that are written in turn, each with a checksum: when a
// crash tears one, the other still holds, and some events are delivered again.
//
// It is written and synced every second and by Close, not after every delivery:
// an fsync an event would halve what the disk gives. What a crash takes from it
// is delivered again.
type progress struct {
	file file

	mu        sync.Mutex
	delivered uint64
	written   uint64 // of delivered, what the file says
	turn      uint64
}

const (
	progressName = "progress"
	// A slot is a disk sector apart from the other, so that one write never
	// touches both.
	slotDistance = 512
	slotSize     = 28
	slotMark     = 0x31676f7270656164 // "daeprog1"
)

func openProgress(d disk, dir string) (*progress, error) {
	path := filepath.Join(dir, progressName)
	f, err := d.open(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.create(path)
		if err == nil {
			err = d.syncDir(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	p := &progress{file: f}
	p.turn, p.delivered = readProgress(f)
	p.written = p.delivered
	return p, nil
}

// readProgress returns the newer of the slots that are whole; zeros when none
// is: everything that still lies there is then delivered again.
func readProgress(f file) (turn, delivered uint64) {
	for slot := range int64(2) {
		var b [slotSize]byte
		if n, _ := f.ReadAt(b[:], slot*slotDistance); n < slotSize {
			continue
		}
		t := binary.LittleEndian.Uint64(b[8:])
		if binary.LittleEndian.Uint64(b[:]) == slotMark && binary.LittleEndian.Uint32(b[24:]) == checksum(b[:24]) && t >= turn {
			turn, delivered = t, binary.LittleEndian.Uint64(b[16:])
		}
	}
	return turn, delivered
}

// advance notes that everything up to seq is delivered.
func (p *progress) advance(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delivered = max(p.delivered, seq)
}

// sync brings the file up to date. It is called by one goroutine at a time.
func (p *progress) sync() error {
	p.mu.Lock()
	seq := p.delivered
	p.mu.Unlock()
	if seq == p.written {
		return nil
	}
	p.turn++
	b := make([]byte, 0, slotSize)
	b = binary.LittleEndian.AppendUint64(b, slotMark)
	b = binary.LittleEndian.AppendUint64(b, p.turn)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	if err := writeAt(p.file, b, int64(p.turn%2)*slotDistance); err != nil {
		return err
	}
	if err := p.file.sync(); err != nil {
		return err
	}
	p.written = seq
	return nil
}
