package spool_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/sinks/spool"
)

// opened counts how often each segment was opened to be read.
type opened struct {
	mu    sync.Mutex
	times map[string]int
}

func (o *opened) on(op, path string) error {
	if op == "open" && filepath.Ext(path) == ".seg" {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.times[path]++
	}
	return nil
}

// again counts the segments that were opened once more after New, which reads all of them.
func (o *opened) again() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, times := range o.times {
		if times > 1 {
			n++
		}
	}
	return n
}

func TestALoneSenderReadsOneRequestAhead(t *testing.T) {
	for parallel, want := range map[int]int{1: 4, 2: 4} { // of one sender and what it has read ahead, or of two senders
		dir := t.TempDir()
		d := &destination{batch: 2}
		d.leave()
		opts := quick()
		opts.SegmentBytes, opts.Parallel = 1<<10, parallel
		s := open(t, dir, d.sink(), opts)
		var names []string
		for i := range 10 { // each in a segment of its own
			ae := large(fmt.Sprintf("ae-%d", i))
			if err := s.Write(t.Context(), ae); err != nil {
				t.Fatal(err)
			}
			names = append(names, ae.Name)
		}
		abandon(s)
		read, disk := &opened{times: map[string]int{}}, &spool.FaultyDisk{}
		disk.Set(spool.Fault{On: read.on})
		before := d.failed()
		s = open(t, dir, d.sink(), disk.On(opts))
		eventually(t, "many rounds have failed", func() bool { return d.failed() > before+20 && read.again() >= want })
		if got := read.again(); got != want {
			t.Errorf("%d senders have read %d events, want %d", parallel, got, want)
		}
		d.script(nil)
		drain(t, s)
		got := d.holds()
		if parallel > 1 {
			slices.Sort(got)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%d senders delivered %v, want %v", parallel, got, names)
		}
	}
}
