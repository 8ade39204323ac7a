package recordlog

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/internal/disk"
)

const (
	progressName = "progress"
	slotSize     = 28
	slotMark     = 0x31676f7270656164 // "daeprog1"
	syncedMark   = 0x31636e7973656164 // "daesync1"
	// slotDistance is a sector of a disk, so that one write never touches two slots.
	slotDistance = 512
	// syncedSlots is where the slots for what is synced begin.
	syncedSlots = 2 * slotDistance
)

// unknown is the value of progress.synced when the file has no slot for it. It is above every
// sequence number, so that damage counts as damage and not as torn.
const unknown = 1<<64 - 1

// progress is the file that says up to which record everything is acknowledged, and up to
// which every record was synced. It is used by one goroutine at a time.
type progress struct {
	file   disk.File
	turn   uint64 // number of the last write
	saved  uint64 // sequence number up to which everything is acknowledged
	synced uint64 // sequence number up to which everything was synced, or unknown
}

// openProgress makes the file where it is missing.
func openProgress(d disk.Disk, dir string) (*progress, error) {
	f, err := d.OpenFile(filepath.Join(dir, progressName), os.O_RDWR|os.O_CREATE, disk.PrivateMode)
	if err != nil {
		return nil, err
	}
	if err := d.SyncDir(dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	var content [syncedSlots + slotDistance + slotSize]byte
	n, _ := f.ReadAt(content[:], 0) // a slot that cannot be read counts as torn
	p := parseProgress(content[:n])
	p.file = f
	return &p, nil
}

// parseProgress returns the content of the newer undamaged slot of each kind. When both slots
// for what is acknowledged are damaged, every record in the directory is read again.
func parseProgress(content []byte) progress {
	turn, acknowledged := parseSlots(content, slotMark)
	later, synced := parseSlots(content[min(syncedSlots, len(content)):], syncedMark)
	if later == 0 {
		synced = unknown
	}
	return progress{turn: max(turn, later), saved: acknowledged, synced: synced}
}

// parseSlots returns zeros when both slots are damaged or missing.
func parseSlots(content []byte, mark uint64) (turn, seq uint64) {
	for _, at := range []int{0, slotDistance} {
		if len(content) < at+slotSize {
			break
		}
		slot := content[at : at+slotSize]
		written, upTo := binary.LittleEndian.Uint64(slot[8:]), binary.LittleEndian.Uint64(slot[16:])
		if binary.LittleEndian.Uint64(slot) == mark && binary.LittleEndian.Uint32(slot[24:]) == checksum(slot[:24]) && written >= turn && upTo <= maxSeq {
			turn, seq = written, upTo
		}
	}
	return turn, seq
}

// save writes that everything up to acknowledged is acknowledged, and everything up to synced
// is synced (0 when nothing is known), and syncs that.
func (p *progress) save(acknowledged, synced uint64) error {
	acknowledged = max(acknowledged, p.saved)
	if p.synced != unknown {
		synced = max(synced, p.synced)
	}
	if acknowledged == p.saved && (synced == p.synced || synced == 0) {
		return nil
	}
	p.turn++
	at := int64(p.turn%2) * slotDistance
	if err := disk.WriteAt(p.file, p.slot(slotMark, acknowledged), at); err != nil {
		return err
	}
	if synced > 0 {
		if err := disk.WriteAt(p.file, p.slot(syncedMark, synced), syncedSlots+at); err != nil {
			return err
		}
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.saved = acknowledged
	if synced > 0 {
		p.synced = synced
	}
	return nil
}

// slot returns a slot of the current turn.
func (p *progress) slot(mark, seq uint64) []byte {
	slot := make([]byte, 0, slotSize)
	slot = binary.LittleEndian.AppendUint64(slot, mark)
	slot = binary.LittleEndian.AppendUint64(slot, p.turn)
	slot = binary.LittleEndian.AppendUint64(slot, seq)
	return binary.LittleEndian.AppendUint32(slot, checksum(slot))
}
