package reading

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Finding is what is wrong with an event in one place.
type Finding string

const (
	// Missing: the place lacks the event.
	Missing Finding = "missing"
	// Pending: the place lacks the event, which is so young that it may be under way.
	Pending Finding = "pending"
	// Shortened: the place holds the event with texts that it shortened visibly.
	Shortened Finding = "shortened"
	// Differs: the place holds other content under the event's name than the first place
	// that has it.
	Differs Finding = "differs"
)

// Difference is a finding about one event in one place.
type Difference struct {
	Finding Finding
	// Source is the place.
	Source string
	// Entry has the event, and all places that hold it or another one under its name.
	Entry *Entry
}

// Tolerance says what Diff takes for events under way. The zero value is valid.
type Tolerance struct {
	// Pending is the age up to which an event that a place lacks is pending and not
	// missing: as long as a spool in front of a place may hold events back. 0 for none.
	Pending time.Duration
	// Now is the time from which the age counts; the present one when zero.
	Now time.Time
}

// maxUnpaired bounds the missing events that Diff holds until it knows whether another
// place has them under another time.
const maxUnpaired = 10_000

// Diff compares what sources hold of the events that q takes, and yields every difference.
// Content is spec, and what is under paddock.dev/ in labels and annotations: others may
// have labelled an object. Errors are those of Merge. Of a source that failed, nothing is
// said from there on.
func Diff(ctx context.Context, q *Query, t Tolerance, sources ...Source) iter.Seq2[*Difference, error] {
	if t.Now.IsZero() {
		t.Now = time.Now()
	}
	return func(yield func(*Difference, error) bool) {
		d := differ{tolerance: t, sources: sources, gone: map[string]bool{}, names: map[string]bool{}, yield: yield}
		for entry, err := range Merge(ctx, q, sources...) {
			if !d.take(entry, err) {
				return
			}
		}
		d.flush(0)
	}
}

type differ struct {
	tolerance Tolerance
	sources   []Source
	gone      map[string]bool // sources that failed
	// unpaired are entries that some place lacks, in the order in which they came.
	unpaired []unpaired
	names    map[string]bool // namespace/name of those
	yield    func(*Difference, error) bool
	stopped  bool
}

type unpaired struct {
	entry   *Entry
	lacking []string // the sources that lack it
}

func (d *differ) report(f Finding, source string, e *Entry) {
	d.stopped = d.stopped || !d.yield(&Difference{f, source, e}, nil)
}

// take reports false when nobody wants more.
func (d *differ) take(entry *Entry, err error) bool {
	if err != nil {
		var gone *Failed
		if errors.As(err, &gone) {
			d.gone[gone.Source] = true
		}
		return d.yield(nil, err)
	}
	d.contents(entry)
	if lacking := d.lacking(entry); len(lacking) > 0 && !d.paired(entry) {
		d.unpaired = append(d.unpaired, unpaired{entry, lacking})
		d.names[fullName(entry)] = true
		d.flush(maxUnpaired)
	}
	return !d.stopped
}

// contents reports the records of an entry that are not as the first one, and its others.
func (d *differ) contents(e *Entry) {
	whole := e.Records[0]
	for _, r := range e.Records[1:] { // the reference is a record that no place shortened
		if ShortenedFrom(whole.Event, r.Event) {
			whole = r
		}
	}
	for _, r := range slices.Concat(e.Records, e.Others) {
		if r == whole {
			continue
		}
		switch {
		case equal(r.Event, whole.Event):
		case ShortenedFrom(r.Event, whole.Event):
			d.report(Shortened, r.Source, e)
		default:
			d.report(Differs, r.Source, e)
		}
	}
}

// lacking returns the sources that lack an event, and that can be believed.
func (d *differ) lacking(e *Entry) (names []string) {
	places := e.Places()
	for _, s := range d.sources {
		if name := s.Name(); !slices.Contains(places, name) && !d.gone[name] {
			names = append(names, name)
		}
	}
	return names
}

// paired finds an unpaired entry of the same name and another time: an event whose time is
// another one in one place. It reports whether there is one.
func (d *differ) paired(e *Entry) bool {
	name := fullName(e)
	if !d.names[name] {
		return false
	}
	i := slices.IndexFunc(d.unpaired, func(other unpaired) bool { return fullName(other.entry) == name })
	both := &d.unpaired[i]
	for _, r := range e.Records {
		both.entry.Records = append(both.entry.Records, r)
		both.lacking = slices.DeleteFunc(both.lacking, func(name string) bool { return name == r.Source })
		d.report(Differs, r.Source, both.entry)
	}
	if len(both.lacking) == 0 {
		d.unpaired = slices.Delete(d.unpaired, i, i+1)
		delete(d.names, name)
	}
	return true
}

// flush reports the oldest unpaired entries until at most n are left.
func (d *differ) flush(n int) {
	for len(d.unpaired) > n && !d.stopped {
		first := d.unpaired[0]
		d.unpaired = d.unpaired[1:]
		delete(d.names, fullName(first.entry))
		for _, name := range first.lacking {
			d.absent(name, first.entry)
		}
	}
}

func fullName(e *Entry) string { return e.Event().Namespace + "/" + e.Event().Name }

func (d *differ) absent(source string, e *Entry) {
	f := Missing
	if d.tolerance.Now.Sub(e.Records[0].Time) < d.tolerance.Pending {
		f = Pending
	}
	d.report(f, source, e)
}
