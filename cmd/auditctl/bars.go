package main

import (
	"strings"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
)

// bars draws numbers.
type bars struct {
	most  int64
	width int
}

// newBars returns nil where there is no terminal to draw in.
func newBars(how *printing, groups []*counted) *bars {
	if !how.env.terminal || how.form.value != output.Table {
		return nil
	}
	b := &bars{most: 1, width: 40}
	if how.env.width < 120 {
		b.width = 16
	}
	for _, g := range groups {
		b.most = max(b.most, g.decisions)
	}
	return b
}

// of returns the bar of a number, to an eighth of a column. None is empty.
func (b *bars) of(n int64) string {
	eighths := max(1, int(float64(n)/float64(b.most)*float64(8*b.width)+0.5))
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return bar
}
