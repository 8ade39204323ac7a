package lokitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// store holds the streams of all tenants.
type store struct {
	mu      sync.RWMutex
	journal *journal // nil when the store is in memory
	tenants map[string]*tenant
}

type tenant struct {
	rate    *rate.Limiter
	streams map[string]*stream // by the text of their labels
	order   []*stream          // in the order in which they were made
}

// openStore returns a store with the contents of the folder; an empty store in memory for "".
func openStore(dir string) (*store, error) {
	s := &store{tenants: map[string]*tenant{}}
	if dir == "" {
		return s, nil
	}
	var err error
	s.journal, err = openJournal(dir, func(r record) {
		if r.Flush {
			s.closeChunks()
			return
		}
		st := s.of(r.Tenant).stream(r.Labels, r.Text)
		for _, e := range r.Entries {
			st.store(e)
		}
	})
	return s, err
}

func (s *store) close() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.file.Close()
}

// of returns the tenant, and makes it if it is new. The caller holds the lock.
func (s *store) of(name string) *tenant {
	t := s.tenants[name]
	if t == nil {
		t = &tenant{streams: map[string]*stream{}}
		s.tenants[name] = t
	}
	return t
}

func (t *tenant) stream(labels map[string]string, text string) *stream {
	st := t.streams[text]
	if st == nil {
		st = newStream(labels, text)
		t.streams[text] = st
		t.order = append(t.order, st)
	}
	return st
}

// allow reports whether the tenant may send this many bytes now. It is always false for more than its burst.
func (s *store) allow(name string, limits Limits, bytes int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.of(name)
	if t.rate == nil {
		t.rate = rate.NewLimiter(rate.Limit(limits.Rate), limits.Burst)
	}
	return t.rate.AllowN(now, bytes)
}

// maxTold is the largest number of refused entries that an answer names.
const maxTold = 10

// append stores the entries that the stream accepts. The refusal tells of the others, and has the status of the last one
// of them. When there is an error, nothing was stored.
func (s *store) append(tenant string, in labelled, limits Limits, behind time.Duration, now time.Time) (*refusal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.of(tenant).stream(in.labels, in.text)
	taken, refused := st.judge(in.entries, limits, behind, now)
	if len(taken) > 0 {
		if err := s.journal.write(record{Tenant: tenant, Labels: in.labels, Text: in.text, Entries: taken}); err != nil {
			return nil, err
		}
	}
	for _, e := range taken {
		st.store(e)
	}
	if len(refused) == 0 {
		return nil, nil
	}
	var text strings.Builder
	for _, r := range refused[:min(len(refused), maxTold)] {
		fmt.Fprintf(&text, "entry with timestamp %s ignored, reason: '%s',\n", time.Unix(0, r.entry.Time).UTC(), r.reason)
	}
	fmt.Fprintf(&text, "user '%s', total ignored: %d out of %d for stream: %s", tenant, len(refused), len(in.entries), in.text)
	status := http.StatusBadRequest
	if refused[len(refused)-1].rate {
		status = http.StatusTooManyRequests
	}
	return &refusal{status, text.String()}, nil
}

// flush closes the chunks of all streams. Then every repeat within a stream is recognised.
func (s *store) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.write(record{Flush: true}); err != nil {
		return err
	}
	s.closeChunks()
	return nil
}

func (s *store) closeChunks() {
	for _, t := range s.tenants {
		for _, st := range t.order {
			st.closeChunk()
		}
	}
}

// read calls use with each stream of a tenant and those of its entries with start <= time < end, in no particular order.
// use must not keep the slice.
func (s *store) read(name string, start, end int64, use func(st *stream, entries []entry)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tenants[name]
	if t == nil {
		return
	}
	for _, st := range t.order {
		entries := slices.DeleteFunc(st.entries(), func(e entry) bool { return e.Time < start || e.Time >= end })
		if len(entries) > 0 {
			use(st, entries)
		}
	}
}
