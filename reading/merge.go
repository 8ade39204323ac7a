package reading

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// Entry is one event and every place that has it.
type Entry struct {
	// Records has one record of each source that has the event, in the order of the
	// sources.
	Records []*Record
	// Repeats is how often the event was found again in a source that had it already.
	Repeats int
	// Others are records of the same key whose content is another than that of the first
	// record of their source.
	Others []*Record
}

// Event returns the event as the first source that has it holds it.
func (e *Entry) Event() *v1alpha1.AuditEvent { return e.Records[0].Event }

// Places returns the names of the sources that have the event.
func (e *Entry) Places() []string {
	places := make([]string, len(e.Records))
	for i, r := range e.Records {
		places[i] = r.Source
	}
	return places
}

func (e *Entry) add(r *Record) {
	for _, has := range e.Records {
		if has.Source != r.Source {
			continue
		}
		e.Repeats++
		if !bytes.Equal(encode(has.Event), encode(r.Event)) {
			e.Others = append(e.Others, r)
		}
		return
	}
	e.Records = append(e.Records, r)
}

func encode(ae *v1alpha1.AuditEvent) []byte { return eventjson.Append(nil, ae) }

// Merge yields the events of all sources in the order of their keys, each once. All
// sources are read at the same time. A *Foreign or *Failed is yielded as an error, with a
// nil entry, and does not end the reading of the others.
func Merge(ctx context.Context, q *Query, sources ...Source) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var reading sync.WaitGroup
		defer reading.Wait()
		defer cancel()

		var heads []*head
		for _, source := range sources {
			h := &head{source: source, results: make(chan result, 64)}
			heads = append(heads, h)
			reading.Go(func() { h.read(ctx, q) })
		}
		for _, h := range heads {
			if !h.advance(yield) {
				return
			}
		}
		for {
			entry := least(heads)
			if entry == nil {
				return
			}
			key := entry.Key()
			whole := &Entry{}
			for _, h := range heads {
				for h.record != nil && h.record.Key() == key {
					whole.add(h.record)
					if !h.advance(yield) {
						return
					}
				}
			}
			if !yield(whole, nil) {
				return
			}
		}
	}
}

// result is what a source yields.
type result struct {
	record *Record
	err    error
}

// head is a source that is being read, and its next record; nil at its end.
type head struct {
	source  Source
	results chan result
	record  *Record
	last    Key
}

func (h *head) read(ctx context.Context, q *Query) {
	defer close(h.results)
	for r, err := range h.source.Read(ctx, q) {
		select {
		case h.results <- result{r, err}:
		case <-ctx.Done():
			return
		}
	}
}

// advance takes the next record. It yields errors, and returns false when nobody wants
// more.
func (h *head) advance(yield func(*Entry, error) bool) bool {
	h.record = nil
	for next := range h.results {
		err := next.err
		if err == nil && next.record.Key().Compare(h.last) < 0 {
			err = fmt.Errorf("the event %s comes after a later one", next.record.Event.Name)
		}
		if err == nil {
			h.record, h.last = next.record, next.record.Key()
			return true
		}
		err = named(h.source, err)
		if !yield(nil, err) {
			return false
		}
		var gone *Failed
		if errors.As(err, &gone) {
			break
		}
	}
	return true
}

// named returns an error of a source as a *Foreign or a *Failed.
func named(s Source, err error) error {
	var foreign *Foreign
	var gone *Failed
	if errors.As(err, &foreign) || errors.As(err, &gone) {
		return err
	}
	return &Failed{Source: s.Name(), Err: err}
}

// least returns the record with the least key; nil when there is none.
func least(heads []*head) (first *Record) {
	for _, h := range heads {
		if h.record != nil && (first == nil || h.record.Key().Compare(first.Key()) < 0) {
			first = h.record
		}
	}
	return first
}
