package trail

import (
	"cmp"
	"slices"
)

// Or returns the indices that are in r or in other.
func (r Ranges) Or(other Ranges) Ranges {
	all := slices.Concat(r, other)
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	joined := all[:0]
	for _, one := range all {
		if last := len(joined) - 1; last >= 0 && joined[last].To >= one.From {
			joined[last].To = max(joined[last].To, one.To)
		} else if one.From < one.To {
			joined = append(joined, one)
		}
	}
	return joined
}

// And returns the indices that are in both r and other.
func (r Ranges) And(other Ranges) (both Ranges) {
	for i, j := 0, 0; i < len(r) && j < len(other); {
		if one := (Range{max(r[i].From, other[j].From), min(r[i].To, other[j].To)}); one.From < one.To {
			both = append(both, one)
		}
		if r[i].To < other[j].To {
			i++
		} else {
			j++
		}
	}
	return both
}

// Minus returns the indices of r that are not in other.
func (r Ranges) Minus(other Ranges) (rest Ranges) {
	j := 0
	for _, one := range r {
		for j < len(other) && other[j].To <= one.From {
			j++
		}
		for k := j; k < len(other) && other[k].From < one.To; k++ {
			if one.From < other[k].From {
				rest = append(rest, Range{one.From, other[k].From})
			}
			one.From = max(one.From, other[k].To)
		}
		if one.From < one.To {
			rest = append(rest, one)
		}
	}
	return rest
}
