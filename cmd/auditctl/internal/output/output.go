// Package output prints rows as a table, CSV, JSON or YAML.
//
// What a row holds may come from an attacker. No form lets through what a terminal would
// act on: control characters and those that change the direction of text are escaped as in
// JSON. In JSON and YAML the escapes stand for the same text, so nothing is lost.
package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Forms of the output.
const (
	Table  = "table"
	Wide   = "wide"
	JSON   = "json"
	NDJSON = "ndjson"
	CSV    = "csv"
	YAML   = "yaml"
)

// Column describes one cell of every row.
type Column struct {
	// Name is the heading, in upper case.
	Name string
	// Wide columns are in the forms Wide and CSV only.
	Wide bool
	// Min is the width to which a narrow terminal may shorten the column; 0: it may not.
	Min int
	// Usual is the width of a column before anything is known of its cells.
	Usual int
	// Drop says in which order a terminal that is still too narrow leaves columns out: the
	// highest first, those with 0 never.
	Drop int
	// Right aligns to the right.
	Right bool
	// Colour returns the colour of a cell, as the parameter of SGR; "" for none. May be nil.
	Colour func(cell string) string
}

// Row is a line of a table, and the value that stands for it elsewhere.
type Row struct {
	// Cells has one text for each column.
	Cells []string
	// JSON of the value.
	JSON []byte
}

// Writer prints rows. It is not safe for concurrent use.
type Writer interface {
	// Write prints a row. What it prints may be held back until Close.
	Write(r Row) error
	// Close prints what was held back, and ends the list. It does not close the output.
	Close() error
}

// Options of New. The zero value is valid.
type Options struct {
	// Width of the terminal in columns. 0: lines may be as long as they are.
	Width int
	// Colour uses colours in tables.
	Colour bool
	// Live prints each row at once.
	Live bool
	// NoHeadings leaves the headings of tables and CSV out.
	NoHeadings bool
	// ListKind, when not empty, makes the list in the form JSON an object of that kind.
	ListKind, ListVersion string
}

// New returns the writer of a form.
func New(form string, to io.Writer, columns []Column, opts Options) (Writer, error) {
	switch form {
	case Table:
		var narrow []bool
		for _, c := range columns {
			narrow = append(narrow, !c.Wide)
		}
		return newTable(to, columns, narrow, opts), nil
	case Wide:
		opts.Width = 0
		return newTable(to, columns, nil, opts), nil
	case CSV:
		return newCSV(to, columns, opts), nil
	}
	out := bufio.NewWriter(to)
	var w Writer
	switch form {
	case JSON:
		w = &list{to: out, opts: opts}
	case NDJSON:
		w = ndjson{out}
	case YAML:
		w = &documents{to: out}
	default:
		return nil, fmt.Errorf("unknown form %q", form)
	}
	return &buffered{w, out, opts.Live}, nil
}

// buffered flushes what another writer prints: each row at once, or all of them at the end.
type buffered struct {
	Writer
	out  *bufio.Writer
	live bool
}

// Write implements Writer.
func (b *buffered) Write(r Row) error {
	if err := b.Writer.Write(r); err != nil || !b.live {
		return err
	}
	return b.out.Flush()
}

// Close implements Writer.
func (b *buffered) Close() error { return errors.Join(b.Writer.Close(), b.out.Flush()) }
