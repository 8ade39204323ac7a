package recordlog_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/disk/disktest"
	"github.com/paddock-dev/audit/internal/recordlog"
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

// used lets a program use a log on d.
func used(t *testing.T) func(d *disktest.Recorder) disktest.LookFunc {
	return func(d *disktest.Recorder) disktest.LookFunc {
		h := &history{asked: map[int]int{}, confirmed: map[int]int{}, delivered: map[int]int{}}
		live(t, d, h)
		return func(n int, dir string) (kept, lost int) {
			got := found(t, dir)
			for _, i := range h.owed(n) {
				if got[i] {
					kept++
				} else {
					lost++
				}
			}
			for i := range got {
				if asked, ok := h.asked[i]; !ok || asked > n {
					t.Errorf("power loss after %d operations: record %d is invented", n, i)
				}
			}
			return kept, lost
		}
	}
}

func TestPowerLossLosesNoConfirmedRecord(t *testing.T) { disktest.Look(t, used(t)) }

func TestPowerLossFindsMissingSync(t *testing.T) { disktest.FindsMissingSync(t, used(t)) }

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
