package recordlog_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/disk/disktest"
	"github.com/paddock-dev/audit/internal/recordlog"
)

var (
	powerlossStates = flag.Int("powerloss", 1000, "how many states after a power loss TestPowerLossLosesNoConfirmedRecord looks at")
	powerlossSeed   = flag.Uint64("powerloss.seed", 0, "seed of the states; chosen by the clock when 0")
)

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
func live(t *testing.T, d *disktest.Recorder, h *history) {
	t.Helper()
	record := 0
	for life := range 4 {
		l, err := recordlog.Open(d.Root, recordlog.Options{SegmentBytes: 16 << 10, Disk: d})
		if err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for range 4 {
			from := record
			record += 40
			writers.Go(func() {
				for i := from; i < from+40; i++ {
					h.set(h.asked, i, d.Now())
					if l.Append(t.Context(), payload(i))[0] == nil {
						h.set(h.confirmed, i, d.Now())
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
				h.set(h.delivered, i, d.Now())
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

func TestPowerLossLosesNoConfirmedRecord(t *testing.T) {
	seed := *powerlossSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	kept, lost := 0, 0
	for left := *powerlossStates; left > 0 && !t.Failed(); {
		h := &history{asked: map[int]int{}, confirmed: map[int]int{}, delivered: map[int]int{}}
		d := disktest.NewRecorder(t.TempDir())
		live(t, d, h)
		for range min(left, 250) {
			left--
			n := random.IntN(d.Now() + 1)
			dir := filepath.Join(t.TempDir(), "spool")
			mustLose(t, d, random, n, dir)
			got := found(t, dir)
			for _, i := range h.owed(n) {
				if got[i] {
					kept++
				} else {
					lost++
					t.Errorf("power loss after %d of %d operations: record %d was confirmed after %d and is lost", n, d.Now(), i, h.confirmed[i])
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
func TestPowerLossFindsMissingSync(t *testing.T) {
	for name, missing := range map[string]disktest.Kind{"files": disktest.SyncFile, "directories": disktest.SyncDir} {
		h := &history{asked: map[int]int{}, confirmed: map[int]int{}, delivered: map[int]int{}}
		d := disktest.NewRecorder(t.TempDir())
		live(t, d, h)
		d.Undo(missing)
		random := rand.New(rand.NewPCG(1, 1))
		lost := 0
		for range 20 {
			n := d.Now()/2 + random.IntN(d.Now()/2)
			dir := filepath.Join(t.TempDir(), "spool")
			mustLose(t, d, random, n, dir)
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

func mustLose(t *testing.T, d *disktest.Recorder, random *rand.Rand, n int, dir string) {
	t.Helper()
	if err := d.PowerLoss(random, n, dir); err != nil {
		t.Fatal(err)
	}
}

// found returns the numbers of the records that a log in dir gives. It fails for a record
// that is not what was appended.
func found(t *testing.T, dir string) map[int]bool {
	t.Helper()
	l, err := recordlog.Open(dir, recordlog.Options{SegmentBytes: 16 << 10, Disk: disktest.Unsynced{Disk: disk.OS}})
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
