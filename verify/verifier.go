package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
)

// Options of a Verifier. The zero value is usable.
type Options struct {
	// Before is when the reading began: what checkpoints of that time or later say of other
	// events is not held against them, as those may have been stored behind the reader's back.
	// It is earlier by as much as a spool may hold events back, in whatever order they then
	// arrive. Zero for exports of what has arrived.
	Before time.Time
	// Partial are the names of places that do not hold everything that was stored, such as a
	// spool. What they lack is not looked for.
	Partial []string
}

// Verifier takes events and tells what is wrong with them. It is not safe for concurrent use.
type Verifier struct {
	trust   *Trust
	options Options

	places   []string
	labels   []string // components that events name
	trails   map[string]*log
	findings []Finding
	unsealed map[string]*unsealed // by component, where trust does not say that they have to have a seal
	events   int64
	without  int64 // events without a seal
	buf      []byte
	retired  map[string][]retired // by trail, what places have lost to reapers
	// shortOf says of the leaves of events that a place shortened which events they were made of.
	shortOf map[trail.Hash]wholeEvent
}

// unsealed counts events.
type unsealed struct {
	count int64
	first Finding
}

// New returns a Verifier.
func New(trust *Trust, o Options) *Verifier {
	return &Verifier{trust: trust, options: o, trails: map[string]*log{}, unsealed: map[string]*unsealed{}, retired: map[string][]retired{}, shortOf: map[trail.Hash]wholeEvent{}}
}

// Read adds all that the sources hold, one source after the other. Events that a place
// shortened and another one holds whole are read again, to compare them. The error is that of ctx:
// a source that cannot be read to its end is a finding.
func (v *Verifier) Read(ctx context.Context, sources ...reading.Source) error {
	for _, s := range sources {
		number(&v.places, s.Name())
		for r, err := range s.Read(ctx, &reading.Query{Strict: true}) {
			if err != nil {
				v.Trouble(s.Name(), err)
				continue
			}
			v.Add(r)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return v.compareShortened(ctx, sources)
}

// number returns the place of a name among those that were seen.
func number(seen *[]string, name string) int32 {
	i := slices.Index(*seen, name)
	if i < 0 {
		i = len(*seen)
		*seen = append(*seen, name)
	}
	return int32(i) //nolint:gosec // there are few
}

// Add adds what a source holds. r was read with a Query that is Strict and takes all events.
func (v *Verifier) Add(r *reading.Record) {
	v.events++
	place := number(&v.places, r.Source)
	text, sealed := r.Event.Annotations[v1alpha1.AnnotationSeal]
	if !sealed {
		v.addUnsealed(r)
		return
	}
	seal, err := trail.ParseSeal(text)
	if err != nil {
		v.found(ofRecord(r, CodeMadeUp, LevelTampered, err.Error()))
		return
	}
	s := sighting{
		leaf: v.leaf(seal, r.Event), index: seal.Index, place: place, component: number(&v.labels, r.Event.Labels[v1alpha1.LabelComponent]),
		shortened: shortened(r.Event), where: where(r),
	}
	t := v.trail(seal.Trail)
	t.sightings = append(t.sightings, s)
	switch {
	case trail.IsCheckpoint(r.Event.Spec.Kind):
		v.addCheckpoint(t, r, s)
	case r.Event.Spec.Kind == canonical.KindTrailReaped:
		v.addTombstone(t, r, s)
	}
}

// leaf returns the leaf of an event with a seal.
func (v *Verifier) leaf(seal trail.Seal, ae *v1alpha1.AuditEvent) trail.Hash {
	v.buf = canonical.AppendObject(trail.AppendLeaf(v.buf[:0], seal.Salt), ae)
	return trail.HashLeaf(v.buf)
}

func (v *Verifier) trail(id string) *log {
	t := v.trails[id]
	if t == nil {
		t = &log{id: id, unreadable: map[int32]trail.Ranges{}}
		v.trails[id] = t
	}
	return t
}

// addUnsealed takes an event without a seal.
func (v *Verifier) addUnsealed(r *reading.Record) {
	v.without++
	name := r.Event.Labels[v1alpha1.LabelComponent]
	c := v.trust.component(name)
	switch {
	case c != nil && !c.SealedSince.IsZero() && !r.Time.Before(c.SealedSince):
		v.found(ofRecord(r, CodeUnsealed, LevelTampered, fmt.Sprintf("the events of %s are sealed since %s, and this one of %s is not: its seal was stripped, or it was inserted",
			name, c.SealedSince.UTC().Format(time.RFC3339), r.Time.Format(time.RFC3339Nano))))
		return
	case v.unsealed[name] == nil:
		level := LevelUndetermined
		if c != nil {
			level = LevelNote
		}
		v.unsealed[name] = &unsealed{first: ofRecord(r, CodeNotSealed, level, "")}
	}
	v.unsealed[name].count++
}

// Trouble adds an error of a source.
func (v *Verifier) Trouble(source string, err error) {
	var foreign *reading.Foreign
	f := Finding{Code: CodeUnreadable, Level: LevelUndetermined, Index: -1, Last: -1, Place: source, Text: err.Error()}
	switch {
	case !errors.As(err, &foreign):
		f.Code = CodeSourceFailed
	case errors.Is(err, reading.ErrUnfinished):
		f.Code, f.Level, f.At = CodeUnfinished, LevelNote, foreign.First
		v.addUnreadable(foreign)
	case errors.Is(err, reading.ErrTorn): // whoever tore it could have deleted it, and is found by that
		f.Code, f.Level, f.At = CodeTorn, LevelNote, foreign.First
	case foreign.Err == nil:
		f.Level, f.At = LevelNote, foreign.First // lines of another program
	default:
		f.At = foreign.First
		v.addUnreadable(foreign)
	}
	v.found(f)
}

// addUnreadable notes the seals that stand in what cannot be read.
func (v *Verifier) addUnreadable(foreign *reading.Foreign) {
	for _, text := range foreign.Seals {
		if seal, err := trail.ParseSeal(text); err == nil {
			t, place := v.trail(seal.Trail), number(&v.places, foreign.Source)
			ranges := t.unreadable[place]
			ranges.Add(seal.Index)
			t.unreadable[place] = ranges
		}
	}
}

func (v *Verifier) found(f Finding) { v.findings = append(v.findings, f) }

// Report says what was found. Nothing is added afterwards.
func (v *Verifier) Report() *Report {
	all := slices.SortedFunc(maps.Values(v.trails), func(a, b *log) int { return cmp.Compare(a.id, b.id) })
	var proven []*log
	for _, t := range all {
		v.settle(t)
		if t.root != "" {
			proven = append(proven, t)
		}
	}
	v.explain(all)
	v.believe(all)
	for _, t := range all {
		v.compare(t, all)
	}
	vanished := v.holdHeads(all)
	v.reportUnsealed()
	v.reportAbsent(proven)
	if len(proven) == 0 {
		v.found(Finding{Code: CodeNothing, Level: LevelUndetermined, Index: -1, Last: -1, Text: "nothing that was read is sealed by a component that a key of the trust vouches for"})
	}
	r := &Report{Trails: []Trail{}, Findings: append([]Finding{}, v.findings...), Verdict: verdict(v.findings), Events: v.events, Unsealed: v.without, Retired: vanished}
	for _, t := range all {
		r.Retired += t.summary.Retired
		if len(t.sightings) == 0 {
			continue // only something unreadable names it
		}
		r.Trails = append(r.Trails, t.summary)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Level), rank(b.Level)), cmp.Compare(a.Trail, b.Trail), cmp.Compare(a.Index, b.Index))
	})
	return r
}

func rank(l Level) int { return slices.Index([]Level{LevelTampered, LevelUndetermined, LevelNote}, l) }

func (v *Verifier) reportUnsealed() {
	for _, name := range slices.Sorted(maps.Keys(v.unsealed)) {
		u := v.unsealed[name]
		u.first.Text = fmt.Sprintf("%d events of the component %q are not sealed, and the trust does not say that they have to be", u.count, name)
		v.found(u.first)
	}
}

// reportAbsent names the components that the trust expects and of which no proven trail is there.
func (v *Verifier) reportAbsent(proven []*log) {
	for _, c := range v.trust.Components {
		there := slices.ContainsFunc(proven, func(t *log) bool {
			return t.summary.Component == c.Name && (c.Cluster == "" || c.Cluster == t.summary.Cluster)
		})
		if !there && !c.SealedSince.IsZero() {
			v.found(Finding{Code: CodeAbsent, Level: LevelNote, Index: -1, Last: -1, Text: fmt.Sprintf("the trust expects the component %q, and no proven trail of it is there", c.Name)})
		}
	}
}

// ofRecord returns a finding about a record.
func ofRecord(r *reading.Record, code Code, level Level, text string) Finding {
	return Finding{Code: code, Level: level, Index: -1, Last: -1, Name: r.Event.Namespace + "/" + r.Event.Name, Place: r.Source, At: r.At, Text: text}
}

// sighting is an event with a seal at a place.
type sighting struct {
	leaf      trail.Hash
	index     int64
	place     int32
	component int32 // that the event names
	shortened bool
	where     string
}
