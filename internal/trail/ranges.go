package trail

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ranges are sets of indices: half-open, ascending, and apart from each other.
type Ranges []Range

// Range is the indices from From up to, and not including, To.
type Range struct{ From, To int64 }

// Add adds an index. It is cheap when the index is the greatest or near it.
func (r *Ranges) Add(i int64) {
	at := len(*r)
	for at > 0 && (*r)[at-1].From > i {
		at--
	}
	ranges := *r
	before, after := at > 0 && ranges[at-1].To >= i, at < len(ranges) && ranges[at].From == i+1
	switch {
	case before && ranges[at-1].To > i: // it is there
	case before && after:
		ranges[at-1].To = ranges[at].To
		*r = slices.Delete(ranges, at, at+1)
	case before:
		ranges[at-1].To = i + 1
	case after:
		ranges[at].From = i
	default:
		*r = slices.Insert(ranges, at, Range{i, i + 1})
	}
}

// AddAll adds what other has.
func (r *Ranges) AddAll(other Ranges) {
	for _, one := range other {
		for i := one.From; i < one.To; i++ {
			r.Add(i)
		}
	}
}

// Has reports whether i is in r.
func (r Ranges) Has(i int64) bool {
	low, high := 0, len(r)
	for low < high {
		if mid := (low + high) / 2; r[mid].To <= i {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low < len(r) && r[low].From <= i
}

// Len returns how many indices r has.
func (r Ranges) Len() (n int64) {
	for _, one := range r {
		n += one.To - one.From
	}
	return n
}

// String prints r as people write ranges, with both ends in them: "3,5-9".
func (r Ranges) String() string {
	var dst []byte
	for i, one := range r {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, one.From, 10)
		if one.To > one.From+1 {
			dst = append(dst, '-')
			dst = strconv.AppendInt(dst, one.To-1, 10)
		}
	}
	return string(dst)
}

// ParseRanges parses what String returns, and nothing else.
func ParseRanges(text string) (r Ranges, err error) {
	if text == "" {
		return nil, nil
	}
	last := int64(-2)
	for part := range strings.SplitSeq(text, ",") {
		first, end, isRange := strings.Cut(part, "-")
		one := Range{}
		if one.From, err = parseIndex(first); err != nil {
			return nil, err
		}
		one.To = one.From + 1
		if isRange {
			to, err := parseIndex(end)
			if err != nil {
				return nil, err
			}
			if to <= one.From {
				return nil, fmt.Errorf("%q: %w", clip(part), errRange)
			}
			one.To = to + 1
		}
		if one.From <= last {
			return nil, fmt.Errorf("%q: %w", clip(part), errRange)
		}
		last = one.To
		r = append(r, one)
	}
	return r, nil
}
