package recordlog_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/recordlog"
)

var (
	powerlossStates = flag.Int("powerloss", 1000, "how many states after a power loss TestNothingConfirmedIsLostInAPowerLoss looks at")
	powerlossSeed   = flag.Uint64("powerloss.seed", 0, "seed of the states; chosen by the clock when 0")
)

// A power loss leaves on a disk what was synced, any part of what was written since, and the
// first few of the names that were made, changed or removed since their directory was
// synced. recorder notes what a Log does to the disk, and state makes such leftovers of it.

// operation is one thing that a Log did, or a test noted between two of them.
type operation struct {
	kind kind
	file int    // of write, truncate and sync
	at   int64  // offset of a write, size of a truncate, index at which a sync began
	data []byte // of a write
	path string // of create and remove; the directory of syncDir
	to   string // of rename
}

type kind int

const (
	write kind = iota
	truncate
	syncFile
	create
	rename
	remove
	syncDir
)

// recorder is the disk of the operating system, and notes what is done to it.
type recorder struct {
	root string

	mu    sync.Mutex
	ops   []operation
	files int
	ids   map[string]int // of the files, by path
}

func (r *recorder) note(op operation) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	return len(r.ops)
}

// now is the number of operations so far.
func (r *recorder) now() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ops)
}

func (r *recorder) OpenFile(path string, flag int) (recordlog.File, error) {
	f, err := recordlog.OS.OpenFile(path, flag)
	if err != nil || flag&os.O_CREATE == 0 {
		return f, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id, known := r.ids[path]
	if !known {
		r.files++
		id = r.files
		r.ids[path] = id
		r.ops = append(r.ops, operation{kind: create, file: id, path: path})
	}
	if flag&os.O_TRUNC != 0 {
		r.ops = append(r.ops, operation{kind: truncate, file: id})
	}
	return &recordedFile{File: f, disk: r, id: id}, nil
}

func (r *recorder) Rename(from, to string) error {
	r.note(operation{kind: rename, path: from, to: to})
	r.mu.Lock()
	if id, ok := r.ids[from]; ok {
		r.ids[to] = id
		delete(r.ids, from)
	}
	r.mu.Unlock()
	return recordlog.OS.Rename(from, to)
}

func (r *recorder) Remove(path string) error {
	r.note(operation{kind: remove, path: path})
	r.mu.Lock()
	delete(r.ids, path)
	r.mu.Unlock()
	return recordlog.OS.Remove(path)
}

func (r *recorder) SyncDir(path string) error {
	began := r.now()
	r.note(operation{kind: syncDir, path: path, at: int64(began)})
	return nil // what the page cache has is enough for the process that runs
}

type recordedFile struct {
	recordlog.File

	disk *recorder
	id   int
}

func (f *recordedFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.note(operation{kind: write, file: f.id, at: off, data: slices.Clone(b)})
	return f.File.WriteAt(b, off)
}

func (f *recordedFile) Truncate(size int64) error {
	f.disk.note(operation{kind: truncate, file: f.id, at: size})
	return f.File.Truncate(size)
}

func (f *recordedFile) Sync() error {
	began := f.disk.now()
	f.disk.note(operation{kind: syncFile, file: f.id, at: int64(began)})
	return nil
}

// state writes to dir what a power loss behind the first n operations may leave of root.
func state(t *testing.T, random *rand.Rand, root, dir string, ops []operation) {
	t.Helper()
	contents := map[int][]byte{}
	synced := map[int]int64{} // up to which operation a file is durable
	named := map[string]int64{}
	for _, op := range ops {
		switch op.kind {
		case syncFile:
			synced[op.file] = op.at
		case syncDir:
			named[op.path] = op.at
		}
	}
	for i, op := range ops {
		durable := int64(i) < synced[op.file]
		switch op.kind {
		case write:
			contents[op.file] = torn(random, contents[op.file], op, durable)
		case truncate:
			if durable || random.IntN(2) == 0 {
				contents[op.file] = resized(contents[op.file], op.at)
			}
		}
	}
	names := map[string]int{}
	lost := map[string]bool{} // directories of which no later change is on the disk
	for i, op := range ops {
		if op.kind != create && op.kind != rename && op.kind != remove {
			continue
		}
		folder := filepath.Dir(op.path)
		if int64(i) >= named[folder] && (lost[folder] || random.IntN(4) == 0) {
			lost[folder] = true
			continue
		}
		switch op.kind {
		case create:
			names[op.path] = op.file
		case rename:
			names[op.to] = names[op.path]
			delete(names, op.path)
		case remove:
			delete(names, op.path)
		}
	}
	for path, file := range names {
		relative, err := filepath.Rel(root, path)
		if err == nil {
			path = filepath.Join(dir, relative)
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, contents[file], 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// torn applies a write: all of it when it is durable, otherwise all, nothing, or some of its
// sectors or blocks.
func torn(random *rand.Rand, content []byte, op operation, durable bool) []byte {
	end := op.at + int64(len(op.data))
	fate := random.IntN(4)
	if durable || fate == 0 {
		content = resized(content, max(end, int64(len(content))))
		copy(content[op.at:], op.data)
		return content
	}
	if fate == 1 {
		return content
	}
	unit := int64(512)
	if fate == 2 {
		unit = 4096
	}
	for from := op.at; from < end; {
		to := min(end, (from/unit+1)*unit)
		if random.IntN(2) == 0 {
			content = resized(content, max(to, int64(len(content))))
			copy(content[from:to], op.data[from-op.at:to-op.at])
		}
		from = to
	}
	return content
}

func resized(content []byte, size int64) []byte {
	if int64(len(content)) >= size {
		return content[:size:size]
	}
	return append(content[:len(content):len(content)], make([]byte, size-int64(len(content)))...)
}

// history is what was asked of a log, and when, in numbers of operations.
type history struct {
	mu                          sync.Mutex
	asked, confirmed, delivered map[int]int // by the number of the record
}

func (h *history) set(m map[int]int, record, at int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m[record] = at
}

// owed returns the records that were confirmed before the n-th operation, and not delivered.
func (h *history) owed(n int) (records []int) {
	for i, at := range h.confirmed {
		if delivered, ok := h.delivered[i]; at <= n && (!ok || delivered > n) {
			records = append(records, i)
		}
	}
	return records
}

// payload of a record, which tells whether any byte of it is wrong.
func payload(record int) []byte {
	random := rand.New(rand.NewPCG(uint64(record), 7))
	size := random.IntN(200)
	if record%17 == 0 {
		size = 3000 + random.IntN(6000)
	}
	text := fmt.Sprintf("%d ", record)
	for len(text) < size {
		text += fmt.Sprintf("%x", random.Uint64())
	}
	return []byte(text)
}

// live lets writers and a reader use a log in root, over several lives of the process.
func live(t *testing.T, disk *recorder, h *history) {
	t.Helper()
	record := 0
	for life := range 4 {
		l, err := recordlog.Open(disk.root, recordlog.Options{SegmentBytes: 16 << 10, Disk: disk})
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for range 4 {
			from := record
			record += 40
			writers.Go(func() {
				for i := from; i < from+40; i++ {
					h.set(h.asked, i, disk.now())
					if l.Append(t.Context(), payload(i))[0] == nil {
						h.set(h.confirmed, i, disk.now())
					}
				}
			})
		}
		ctx, stop := context.WithCancel(t.Context())
		var reader sync.WaitGroup
		reader.Go(func() {
			for n := 0; life%2 == 1; n++ { // in the other lives the destination is away
				r, err := l.Next(ctx, true)
				if r == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var i int
				_, _ = fmt.Sscanf(string(r.Payload), "%d ", &i)
				h.set(h.delivered, i, disk.now())
				if err := l.Acknowledge(r); err != nil {
					t.Error(err)
				}
				if n%10 == 0 {
					if err := l.SaveProgress(); err != nil {
						t.Error(err)
					}
				}
			}
		})
		writers.Wait()
		stop()
		reader.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingConfirmedIsLostInAPowerLoss(t *testing.T) {
	seed := *powerlossSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	kept, lost := 0, 0
	for left := *powerlossStates; left > 0 && !t.Failed(); {
		h := &history{asked: map[int]int{}, confirmed: map[int]int{}, delivered: map[int]int{}}
		disk := &recorder{root: t.TempDir(), ids: map[string]int{}}
		live(t, disk, h)
		for range min(left, 250) {
			left--
			n := random.IntN(len(disk.ops) + 1)
			dir := filepath.Join(t.TempDir(), "spool")
			state(t, random, disk.root, dir, disk.ops[:n])
			got := found(t, dir)
			for _, i := range h.owed(n) {
				if got[i] {
					kept++
				} else {
					lost++
					t.Errorf("power loss after %d of %d operations: record %d was confirmed after %d and is lost", n, len(disk.ops), i, h.confirmed[i])
				}
			}
			for i := range got {
				if asked, ok := h.asked[i]; !ok || asked > n {
					t.Errorf("power loss after %d operations: record %d is invented", n, i)
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d states: %d confirmed records found, %d lost", *powerlossStates, kept, lost)
}

// The test above finds a log that does not sync, or does not sync its directory.
func TestPowerLossFindsASyncThatIsMissing(t *testing.T) {
	for name, missing := range map[string]kind{"files": syncFile, "directories": syncDir} {
		h := &history{asked: map[int]int{}, confirmed: map[int]int{}, delivered: map[int]int{}}
		disk := &recorder{root: t.TempDir(), ids: map[string]int{}}
		live(t, disk, h)
		for i := range disk.ops {
			if disk.ops[i].kind == missing {
				disk.ops[i].at = 0 // it makes nothing durable
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		lost := 0
		for range 20 {
			n := len(disk.ops)/2 + random.IntN(len(disk.ops)/2)
			dir := filepath.Join(t.TempDir(), "spool")
			state(t, random, disk.root, dir, disk.ops[:n])
			got := found(t, dir)
			for _, i := range h.owed(n) {
				if !got[i] {
					lost++
				}
			}
		}
		if lost == 0 {
			t.Errorf("without the syncs of %s nothing is lost", name)
		}
	}
}

// found returns the numbers of the records that a log in dir gives. It fails for a record
// that is not what was appended.
func found(t *testing.T, dir string) map[int]bool {
	t.Helper()
	l, err := recordlog.Open(dir, recordlog.Options{SegmentBytes: 16 << 10, Disk: unsynced{recordlog.OS}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	got := map[int]bool{}
	for {
		r, err := l.Next(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			return got
		}
		number, _, _ := strings.Cut(string(r.Payload), " ")
		var i int
		if _, err := fmt.Sscanf(number, "%d", &i); err != nil || !bytes.Equal(r.Payload, payload(i)) {
			t.Fatalf("a record that was never appended: %.60q", r.Payload)
		}
		got[i] = true
	}
}

// unsynced leaves every fsync out.
type unsynced struct{ recordlog.Disk }

func (u unsynced) OpenFile(path string, flag int) (recordlog.File, error) {
	f, err := u.Disk.OpenFile(path, flag)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

func (unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ recordlog.File }

func (unsyncedFile) Sync() error { return nil }
