package lokitest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// journal is the file with everything that was confirmed. A record begins with its length and its CRC-32, four bytes
// each. The record itself follows, as gob. It is written, but not synced, before a push is confirmed. So it survives a
// crash of this process, and may not survive a crash of the machine.
type journal struct{ file *os.File }

// record is a push to one stream, or a flush of all streams.
type record struct {
	Tenant  string
	Labels  map[string]string
	Text    string
	Entries []entry
	Flush   bool
}

const recordHead = 8

// openJournal opens the journal in the folder and calls use with each of its records. It cuts off an incomplete last
// record, which a killed process may have left: that record was never confirmed.
func openJournal(dir string, use func(record)) (*journal, error) {
	path := filepath.Join(dir, "journal")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lokitest: open the journal: %w", err)
	}
	whole, err := readJournal(file, use)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lokitest: read the journal %s: %w", path, err), file.Close())
	}
	return &journal{file: file}, nil
}

// readJournal returns the size of all complete records.
func readJournal(file io.Reader, use func(record)) (whole int64, err error) {
	in := bufio.NewReaderSize(file, 1<<20)
	head := make([]byte, recordHead)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return whole, tornOnly(err)
		}
		body := make([]byte, binary.LittleEndian.Uint32(head))
		if _, err := io.ReadFull(in, body); err != nil {
			return whole, tornOnly(err)
		}
		if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(head[4:]) {
			return whole, nil
		}
		var r record
		if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&r); err != nil {
			return whole, err
		}
		use(r)
		whole += int64(recordHead + len(body))
	}
}

// tornOnly returns nil for an error which says that the file ended, also within a record.
func tornOnly(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// write appends a record. A nil journal keeps nothing.
func (j *journal) write(r record) error {
	if j == nil {
		return nil
	}
	buffer := bytes.NewBuffer(make([]byte, recordHead, 4<<10))
	if err := gob.NewEncoder(buffer).Encode(r); err != nil {
		return fmt.Errorf("lokitest: encode a record: %w", err)
	}
	b := buffer.Bytes()
	binary.LittleEndian.PutUint32(b, uint32(len(b)-recordHead))
	binary.LittleEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[recordHead:]))
	if _, err := j.file.Write(b); err != nil {
		return fmt.Errorf("lokitest: write to the journal: %w", err)
	}
	return nil
}
