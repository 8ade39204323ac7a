package logql

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sample is one value of a metric query, with the labels of its series.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Point is the value of a row that the pipeline of a range has let through.
type Point struct {
	Time   int64 // in nanoseconds since 1970
	Value  float64
	Labels map[string]string
}

// RangeOf returns the innermost range of a metric query, or nil for a log query.
func RangeOf(e Expr) *RangeExpr {
	switch e := e.(type) {
	case *RangeExpr:
		return e
	case *VectorExpr:
		return RangeOf(e.Inner)
	}
	return nil
}

// Point runs the range's pipeline on a row. It returns false when the pipeline leaves the row out.
func (e *RangeExpr) Point(r *Row) (Point, bool, error) {
	keep, err := e.Log.Run(r)
	if err != nil || !keep {
		return Point{}, false, err
	}
	p := Point{Time: r.Time, Value: 1, Labels: r.Fields()}
	if e.Unwrap == "" {
		return p, true, nil
	}
	text := r.value(e.Unwrap)
	if text == "" {
		return Point{}, false, nil
	}
	if p.Value, err = strconv.ParseFloat(text, 64); err != nil {
		return Point{}, false, fmt.Errorf("| unwrap %s: %q is no number", e.Unwrap, text)
	}
	delete(p.Labels, e.Unwrap)
	return p, true, nil
}

// At evaluates a metric query at a time. points are the points of its range.
func At(e Expr, points []Point, at int64) []Sample {
	switch e := e.(type) {
	case *RangeExpr:
		var in []Sample
		for _, p := range points {
			if p.Time > at-int64(e.Range) && p.Time <= at {
				in = append(in, Sample{Labels: p.Labels, Value: p.Value})
			}
		}
		out := group(in, nil, func(a, b float64) float64 { return a + b })
		if e.Op == "rate" {
			for i := range out {
				out[i].Value /= e.Range.Seconds()
			}
		}
		return out
	case *VectorExpr:
		return e.combine(At(e.Inner, points, at))
	}
	return nil
}

func (e *VectorExpr) combine(in []Sample) []Sample {
	by := e.By
	if by == nil {
		by = []string{}
	}
	switch e.Op {
	case "topk":
		slices.SortStableFunc(in, func(a, b Sample) int { return cmp.Compare(b.Value, a.Value) })
		return in[:min(len(in), e.Param)]
	case "min":
		return group(in, by, func(a, b float64) float64 { return min(a, b) })
	case "max":
		return group(in, by, func(a, b float64) float64 { return max(a, b) })
	case "count":
		for i := range in {
			in[i].Value = 1
		}
	}
	return group(in, by, func(a, b float64) float64 { return a + b })
}

// group removes from each sample all labels except those named (nil keeps all labels), and joins the values of samples
// that then have the same labels.
func group(in []Sample, by []string, join func(a, b float64) float64) []Sample {
	var out []Sample
	index := map[string]int{}
	for _, s := range in {
		labels := s.Labels
		if by != nil {
			labels = map[string]string{}
			for _, name := range by {
				if v := s.Labels[name]; v != "" {
					labels[name] = v
				}
			}
		}
		key := LabelText(labels)
		i, known := index[key]
		if !known {
			index[key] = len(out)
			out = append(out, Sample{Labels: labels, Value: s.Value})
			continue
		}
		out[i].Value = join(out[i].Value, s.Value)
	}
	return out
}

// LabelText formats labels as Loki does: sorted by name, and quoted as Go quotes.
func LabelText(labels map[string]string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + "=" + strconv.Quote(labels[name]))
	}
	return b.String() + "}"
}

// Steps returns the times from start to end at which a range query is evaluated.
func Steps(start, end int64, step time.Duration) (moments []int64) {
	for at := start; at <= end; at += int64(step) {
		moments = append(moments, at)
	}
	return moments
}
