package logserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

// Read reads all pages, sorts the events, and yields them. What is stored while it reads
// may be among them or not. An event that the server holds several times with the same
// content comes once.
func (s *Source) Read(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		c := s.collector(q)
		defer c.sorter.Close()
		now := time.Now()
		for _, w := range []window{s.regular(q, now), s.late(q, now)} {
			if err := s.scan(ctx, q, w, c.take); err != nil {
				yield(nil, err)
				return
			}
		}
		c.results(yield)
	}
}

// regular returns the window in which regular entries are. Their time is that of the event.
func (s *Source) regular(q *reading.Query, now time.Time) window {
	from, to := q.Since, q.Until
	if from.IsZero() {
		from = now.Add(-s.Retention)
	}
	if to.IsZero() {
		to = now.Add(s.Ahead)
	}
	return window{from: nanoseconds(from), to: nanoseconds(to)}
}

// late returns the window in which late entries are. Some have the time of the event, and
// others that of sending, which is later, or up to Ahead earlier.
func (s *Source) late(q *reading.Query, now time.Time) window {
	from, to := now.Add(-s.Retention), q.Until
	if !q.Since.IsZero() {
		from = q.Since.Add(-s.Ahead)
		if from.After(now) {
			from = now.Add(-s.Ahead)
		}
	}
	if soon := now.Add(time.Hour); to.Before(soon) { // clocks differ
		to = soon
	}
	return window{late: true, from: nanoseconds(from), to: nanoseconds(to)}
}

// nanoseconds returns a time as servers express it. No entry is of a time before 1970: an
// event of such a time is stored under the time of sending.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Unix() < 0:
		return 0
	case t.Unix() >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// collector sorts the events that a query takes.
type collector struct {
	query   *reading.Query
	sorter  *reading.Sorter
	foreign reading.Foreign
	unclear []error // of a query that cannot be held against an event
	keep    bool    // unclear errors, and go on
}

func (s *Source) collector(q *reading.Query) *collector {
	return &collector{query: q, sorter: &reading.Sorter{Source: s.Name}, foreign: reading.Foreign{Source: s.Name}}
}

func (c *collector) take(e Entry) error {
	ae, err := reading.ParseEvent([]byte(e.Line), c.query.Strict)
	if err == nil && (ae.Kind != "AuditEvent" || ae.Name == "") {
		err = errNoEvent
	}
	if err != nil {
		if c.foreign.Count == 0 {
			c.foreign.First = "that of " + time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano)
			if e.Event != "" || !errors.Is(err, errNoEvent) {
				c.foreign.Err = err
			}
		}
		c.foreign.Count++
		if c.query.Strict {
			c.foreign.AddSeals(reading.SealsIn([]byte(e.Line)))
		}
		return nil
	}
	r := reading.NewRecord(ae, c.sorter.Source, "")
	ok, err := c.query.Takes(r)
	switch {
	case err != nil && c.keep:
		c.unclear = append(c.unclear[:min(len(c.unclear), 99)], err)
		return nil
	case err != nil || !ok:
		return err
	}
	return c.sorter.Add(r)
}

var errNoEvent = errors.New("it is no AuditEvent with a name")

// results yields what was collected. It returns false when nobody wants more.
func (c *collector) results(yield func(*reading.Record, error) bool) bool {
	for _, err := range c.unclear {
		if !yield(nil, err) {
			return false
		}
	}
	if c.foreign.Count > 0 && !yield(nil, &c.foreign) {
		return false
	}
	var key reading.Key
	var contents map[[sha256.Size]byte]bool // of the records with this key
	for r, err := range c.sorter.Sorted() {
		if err != nil {
			return yield(nil, fmt.Errorf("sorting: %w", err)) && false
		}
		if r.Key() != key {
			key, contents = r.Key(), map[[sha256.Size]byte]bool{}
		}
		content := sha256.Sum256(eventjson.Append(nil, r.Event))
		if contents[content] {
			continue
		}
		contents[content] = true
		if !yield(r, nil) {
			return false
		}
	}
	return true
}
