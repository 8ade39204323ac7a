package logserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paddock-dev/audit/reading"
)

// window is a stretch of time of some streams.
type window struct {
	late     bool
	from, to int64
}

// firstSpan is the length of the parts in which a window is read that is too long for the
// server. Loki's default is a bit more (max_query_length: 30d1h).
const firstSpan = int64(30 * 24 * time.Hour)

// scan hands every entry of a window to take, oldest first in each part, some of them more
// than once.
func (s *Source) scan(ctx context.Context, q *reading.Query, w window, take func(Entry) error) error {
	span := w.to - w.from
	for w.from < w.to {
		part := w
		part.to = w.to
		if w.to-w.from > span {
			part.to = w.from + span
		}
		err := s.pages(ctx, q, part, take)
		if errors.Is(err, errTooLong) && span > int64(time.Minute) {
			span = min(span/2, firstSpan)
			continue
		}
		if err != nil {
			return err
		}
		w.from = part.to
	}
	return nil
}

// pages reads a window by pages. A full page may end between entries of one time: those
// are left to the next page, which begins at that time.
func (s *Source) pages(ctx context.Context, q *reading.Query, w window, take func(Entry) error) error {
	limit := s.PageSize
	for w.from < w.to {
		page, err := s.page(ctx, q, Page{Late: w.late, From: w.from, To: w.to, Limit: limit})
		if errors.Is(err, errTooMuch) && limit > 1 {
			limit = fewer(limit)
			continue
		}
		if err != nil {
			return err
		}
		n := len(page)
		next := w.to
		if n >= limit {
			next = page[n-1].Time
			for n > 0 && page[n-1].Time == next {
				n--
			}
		}
		for _, e := range page[:n] {
			if err := take(e); err != nil {
				return err
			}
		}
		if n == 0 && next < w.to {
			if err := s.instant(ctx, q, Page{Late: w.late, From: next, To: next + 1, Limit: s.MaxPage}, take); err != nil {
				return err
			}
			next++
		}
		w.from = next
		limit = min(2*limit, s.PageSize)
	}
	return nil
}

// fewer returns the limit to try after a page with this limit was too large. Later pages
// double the limit again.
func fewer(limit int) int { return max(limit/8, 1) }

// instant reads the entries of one time. Where there are more than the limit, it divides
// them by their names, and those again.
func (s *Source) instant(ctx context.Context, q *reading.Query, p Page, take func(Entry) error) error {
	var page []Entry
	for {
		var err error
		page, err = s.page(ctx, q, p)
		if errors.Is(err, errTooMuch) && p.Limit > 1 {
			p.Limit = fewer(p.Limit)
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if len(page) < p.Limit {
		for _, e := range page {
			if err := take(e); err != nil {
				return err
			}
		}
		return nil
	}
	some, all := divide(page, p.Names)
	if all {
		return s.repeats(ctx, q, p, take)
	}
	for _, not := range []bool{false, true} {
		some.Not = not
		part := p
		part.Names = slices.Concat(p.Names, []Match{some})
		if err := s.instant(ctx, q, part, take); err != nil {
			return err
		}
	}
	return nil
}

// repeats reads the entries of one time and one name, of which there are as many as the
// limit or more. The limit may be lower than it has to be.
func (s *Source) repeats(ctx context.Context, q *reading.Query, p Page, take func(Entry) error) error {
	for p.Limit < s.MaxPage {
		p.Limit = min(2*p.Limit, s.MaxPage)
		page, err := s.page(ctx, q, p)
		if err != nil {
			return err
		}
		if len(page) < p.Limit {
			for _, e := range page {
				if err := take(e); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return fmt.Errorf("%d entries or more have the one time %s and the one name %s: they cannot be read", p.Limit,
		time.Unix(0, p.From).UTC().Format(time.RFC3339Nano), p.Names[len(p.Names)-1].Pattern)
}
