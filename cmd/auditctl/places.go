package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

// same says that a place holds the event as other places do.
const same reading.Finding = "same"

// held is a source of the records that another source gave, so that it need not be read twice.
type held struct {
	name    string
	passing bool // it holds events only on their way to another place
	records []*reading.Record
}

// Name implements reading.Source.
func (h *held) Name() string { return h.name }

// Read implements reading.Source.
func (h *held) Read(_ context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		for _, r := range h.records {
			ok, err := q.Takes(r)
			if (ok || err != nil) && !yield(r, err) {
				return
			}
		}
	}
}

// hold reads the sources that can be read. passing are the names of those of that kind.
func hold(ctx context.Context, q *reading.Query, all []reading.Source, passing map[string]bool, problems *trouble) (kept []*held) {
	for _, s := range all {
		h := &held{name: s.Name(), passing: passing[s.Name()]}
		whole := true
		for r, err := range s.Read(ctx, q) {
			var foreign *reading.Foreign
			switch {
			case err == nil:
				h.records = append(h.records, r)
			case errors.As(err, &foreign):
				problems.add(err)
			default:
				problems.add(&reading.Failed{Source: s.Name(), Err: err})
				whole = false
			}
		}
		if whole || len(h.records) > 0 {
			kept = append(kept, h)
		}
	}
	return kept
}

// shown is an event, and what each place has of it.
type shown struct {
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	Places    []shownPlace    `json:"places"`
	Event     json.RawMessage `json:"event"`
	// Others are other contents under the event's name.
	Others []shownOther `json:"others,omitempty"`
}

// shownPlace says what a place has.
type shownPlace struct {
	Place   string          `json:"place"`
	At      string          `json:"at,omitempty"`
	Content reading.Finding `json:"content"`
}

// shownOther is what a place holds in the event's place.
type shownOther struct {
	Place string          `json:"place"`
	At    string          `json:"at,omitempty"`
	Event json.RawMessage `json:"event"`
}

// shownEvents compares what places hold. Events of one name are one for each namespace.
func shownEvents(ctx context.Context, q *reading.Query, all []*held) (events []*shown, err error) {
	sources := make([]reading.Source, len(all))
	findings := map[[2]string]reading.Finding{} // by namespace and source
	var namespaces []string
	for i, h := range all {
		sources[i] = h
		for _, r := range h.records {
			if ns := r.Event.Namespace; !slices.Contains(namespaces, ns) {
				namespaces = append(namespaces, ns)
			}
		}
	}
	for d, err := range reading.Diff(ctx, q, reading.Tolerance{}, sources...) {
		if err != nil {
			return nil, err
		}
		findings[[2]string{d.Entry.Event().Namespace, d.Source}] = d.Finding
	}
	for _, ns := range namespaces {
		e := &shown{Namespace: ns, Name: q.Names[0]}
		e.take(all, func(source string) reading.Finding { return cmp.Or(findings[[2]string{ns, source}], same) })
		events = append(events, e)
	}
	return events, nil
}

// take fills in what places have of the event, of which finding tells.
func (e *shown) take(all []*held, finding func(source string) reading.Finding) {
	for _, h := range all { // the event in full is that of a place about which nothing was found
		for _, r := range h.records {
			if r.Event.Namespace == e.Namespace && (e.Event == nil || finding(h.name) == same) {
				e.Event = eventjson.Append(nil, r.Event)
			}
		}
	}
	for _, h := range all {
		has := false
		for _, r := range h.records {
			if r.Event.Namespace != e.Namespace {
				continue
			}
			has = true
			p := shownPlace{h.name, r.At, finding(h.name)}
			content := eventjson.Append(nil, r.Event)
			if bytes.Equal(content, e.Event) {
				p.Content = same
			}
			e.Places = append(e.Places, p)
			if p.Content != same {
				e.Others = append(e.Others, shownOther{h.name, r.At, content})
			}
		}
		if !has && !h.passing {
			e.Places = append(e.Places, shownPlace{Place: h.name, Content: reading.Missing})
		}
	}
}

// alike reports that every place has the event, whole or shortened.
func (e *shown) alike() bool {
	return !slices.ContainsFunc(e.Places, func(p shownPlace) bool { return p.Content == reading.Missing || p.Content == reading.Differs })
}

// print prints a row for each place, or one value for all of them.
func (e *shown) print(w output.Writer, form string) error {
	if form != output.Table && form != output.CSV {
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return w.Write(output.Row{JSON: value})
	}
	for _, p := range e.Places {
		if err := w.Write(output.Row{Cells: []string{p.Place, p.At, string(p.Content)}}); err != nil {
			return err
		}
	}
	return nil
}
