package output

import (
	"encoding/csv"
	"io"
	"strings"
	"unicode/utf8"
)

// values is the writer of values separated by commas (RFC 4180), with all columns.
type values struct {
	out  *csv.Writer
	live bool
}

func newCSV(to io.Writer, columns []Column, opts Options) Writer {
	v := values{csv.NewWriter(to), opts.Live}
	var names []string
	for _, c := range columns {
		names = append(names, strings.ToLower(c.Name))
	}
	if !opts.NoHeadings {
		_ = v.out.Write(names) // Close returns the error
	}
	return v
}

// Write implements Writer.
func (v values) Write(r Row) error {
	cells := make([]string, len(r.Cells))
	for i, cell := range r.Cells {
		cells[i] = noFormula(cell)
	}
	if err := v.out.Write(cells); err != nil || !v.live {
		return err
	}
	return v.Close()
}

// Close implements Writer.
func (v values) Close() error {
	v.out.Flush()
	return v.out.Error()
}

// formula begins cells that a spreadsheet takes for a formula, in ASCII and in full width.
const formula = "=+-@\t\r\n＝＋－＠"

// noFormula returns a cell that a spreadsheet takes for text.
func noFormula(cell string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " "))
	text := Harmless(cell)
	if cell != "" && strings.ContainsRune(formula, first) {
		return "'" + text
	}
	return text
}
