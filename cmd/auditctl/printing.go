package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
)

// printing are the flags that say how rows are printed.
type printing struct {
	env        *environment
	form       *choice
	colour     *choice
	times      *choice
	utc        bool
	noHeadings bool
}

// addPrinting adds the flags. The first of the forms is the default.
func addPrinting(env *environment, cmd *cobra.Command, forms ...string) *printing {
	p := &printing{env: env}
	p.form = addChoice(cmd, "output", "o", forms[0], "form of the output", forms...)
	if !slices.Contains(forms, output.Table) {
		p.colour, p.times = &choice{value: "never"}, &choice{}
		return p
	}
	p.colour = addChoice(cmd, "color", "", "auto", "colours in tables; auto: in a terminal, unless NO_COLOR is set", "auto", "always", "never")
	p.times = addChoice(cmd, "time", "", "", "times in tables; short in a terminal, exact elsewhere", output.Relative, output.Exact, output.Short)
	cmd.Flags().BoolVar(&p.utc, "utc", false, "times in UTC; in tables they are local ones otherwise")
	cmd.Flags().BoolVar(&p.noHeadings, "no-headers", false, "no headings in tables and CSV")
	return p
}

// isTable says that the rows are for a person.
func (p *printing) isTable() bool { return p.form.value == output.Table || p.form.value == output.Wide }

// format returns the form of times. What a program reads has exact ones in UTC.
func (p *printing) format() output.Times {
	t := output.Times{Form: p.times.value, Zone: p.zone(), Now: p.env.now}
	if !p.isTable() {
		t.Form, t.Zone = output.Exact, time.UTC
	}
	if t.Form == "" {
		t.Form = output.Exact
		if p.env.terminal {
			t.Form = output.Short
		}
	}
	return t
}

func (p *printing) zone() *time.Location {
	if p.utc {
		return time.UTC
	}
	return p.env.local
}

// options returns those of the output.
func (p *printing) options() output.Options {
	o := output.Options{NoHeadings: p.noHeadings}
	if p.env.terminal {
		o.Width = p.env.width
	}
	switch p.colour.value {
	case "always":
		o.Colour = true
	case "auto":
		o.Colour = p.env.terminal && p.env.getenv("NO_COLOR") == "" && p.env.getenv("TERM") != "dumb"
	}
	return o
}

// events returns the writer of events.
func (p *printing) events(live bool) (output.Writer, error) {
	o := p.options()
	o.Live = live
	o.ListKind, o.ListVersion = "AuditEventList", eventVersion
	return output.New(p.form.value, p.env.out, output.EventColumns(), o)
}

// allForms returns all forms, first the default.
func allForms() []string {
	return []string{output.Table, output.Wide, output.JSON, output.NDJSON, output.CSV, output.YAML}
}
