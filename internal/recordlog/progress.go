package recordlog

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
)

const (
	progressName = "progress"
	slotSize     = 28
	slotMark     = 0x31676f7270656164 // "daeprog1"
	// slotDistance is a sector of a disk, so that one write never touches both slots.
	slotDistance = 512
)

// progress is the file that says up to which record everything is acknowledged. It is
// used by one goroutine at a time.
type progress struct {
	file  File
	turn  uint64 // number of the last write
	saved uint64 // sequence number that the file holds
}

// openProgress makes the file where it is missing.
func openProgress(d Disk, dir string) (*progress, error) {
	f, err := d.OpenFile(filepath.Join(dir, progressName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := d.SyncDir(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	var content [slotDistance + slotSize]byte
	n, _ := f.ReadAt(content[:], 0) // a slot that cannot be read counts as torn
	turn, acknowledged := parseProgress(content[:n])
	return &progress{file: f, turn: turn, saved: acknowledged}, nil
}

// parseProgress returns what the newer of the undamaged slots says. Without any it
// returns zeros, and every record in the directory is read again.
func parseProgress(content []byte) (turn, acknowledged uint64) {
	for _, at := range []int{0, slotDistance} {
		if len(content) < at+slotSize {
			break
		}
		slot := content[at : at+slotSize]
		written, upTo := binary.LittleEndian.Uint64(slot[8:]), binary.LittleEndian.Uint64(slot[16:])
		if binary.LittleEndian.Uint64(slot) == slotMark && binary.LittleEndian.Uint32(slot[24:]) == checksum(slot[:24]) && written >= turn && upTo <= maxSeq {
			turn, acknowledged = written, upTo
		}
	}
	return turn, acknowledged
}

// save writes that everything up to seq is acknowledged, and syncs that.
func (p *progress) save(seq uint64) error {
	if seq <= p.saved {
		return nil
	}
	p.turn++
	slot := make([]byte, 0, slotSize)
	slot = binary.LittleEndian.AppendUint64(slot, slotMark)
	slot = binary.LittleEndian.AppendUint64(slot, p.turn)
	slot = binary.LittleEndian.AppendUint64(slot, seq)
	slot = binary.LittleEndian.AppendUint32(slot, checksum(slot))
	if err := writeAt(p.file, slot, int64(p.turn%2)*slotDistance); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.saved = seq
	return nil
}
