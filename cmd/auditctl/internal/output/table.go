package output

import (
	"bufio"
	"io"
	"strings"
)

const (
	// maxHeld is how many rows a table looks at to find its widths.
	maxHeld = 1000
	gap     = "  "
	empty   = "-" // an empty cell, so that each line has as many words as there are columns
)

// table is the writer of a table.
type table struct {
	out     *bufio.Writer
	columns []Column
	shown   []bool
	opts    Options
	widths  []int // nil until they are found
	held    [][]string
}

// newTable returns a table of the columns that are shown; of all when shown is nil.
func newTable(to io.Writer, columns []Column, shown []bool, opts Options) *table {
	if shown == nil {
		shown = make([]bool, len(columns))
		for i := range shown {
			shown[i] = true
		}
	}
	return &table{out: bufio.NewWriter(to), columns: columns, shown: shown, opts: opts}
}

// Write implements Writer.
func (t *table) Write(r Row) error {
	cells := make([]string, len(r.Cells))
	for i, cell := range r.Cells {
		if cells[i] = Harmless(cell); cell == "" && t.columns[i].Name != "" {
			cells[i] = empty
		}
	}
	if t.opts.Live {
		t.begin()
		t.line(cells)
		return t.out.Flush()
	}
	if t.widths != nil {
		t.line(cells)
		return nil
	}
	if t.held = append(t.held, cells); len(t.held) == maxHeld {
		t.begin()
	}
	return nil
}

// Close implements Writer.
func (t *table) Close() error {
	if len(t.held) > 0 {
		t.begin()
	}
	return t.out.Flush()
}

// begin finds the widths and prints what was held back.
func (t *table) begin() {
	if t.widths != nil {
		return
	}
	natural := make([]int, len(t.columns))
	headings := make([]string, len(t.columns))
	for i, c := range t.columns {
		headings[i] = c.Name
		natural[i] = columnsOf(c.Name)
		if t.opts.Live {
			natural[i] = max(natural[i], c.Usual)
		}
		for _, cells := range t.held {
			natural[i] = max(natural[i], columnsOf(cells[i]))
		}
	}
	t.widths = natural
	if t.opts.Width > 0 {
		t.widths = fit(t.columns, t.shown, natural, t.opts.Width)
	}
	if !t.opts.NoHeadings {
		t.print(headings, false)
	}
	for _, cells := range t.held {
		t.line(cells)
	}
	t.held = nil
}

func (t *table) line(cells []string) { t.print(cells, t.opts.Colour) }

// print prints a line. The last column is not padded. An error is returned by Flush.
func (t *table) print(cells []string, colour bool) {
	var b strings.Builder
	begun := false
	for i, c := range t.columns {
		if !t.shown[i] {
			continue
		}
		cell := cells[i]
		if t.opts.Width > 0 && c.Min > 0 {
			cell = cut(cell, t.widths[i])
		}
		space := padding(cell, t.widths[i])
		if begun {
			b.WriteString(gap)
		}
		begun = true
		if c.Right {
			b.WriteString(space)
			space = ""
		}
		if code := c.colour(cells[i]); colour && code != "" {
			cell = "\x1b[" + code + "m" + cell + "\x1b[0m"
		}
		b.WriteString(cell)
		b.WriteString(space)
	}
	_, _ = t.out.WriteString(strings.TrimRight(b.String(), " "))
	_ = t.out.WriteByte('\n')
}

func (c *Column) colour(cell string) string {
	if c.Colour == nil {
		return ""
	}
	return c.Colour(cell)
}
