package canonical_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// decoder reads a form back. Where an event comes back as it was in all that counts, no
// other event has the same form.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.rest = nil
}

// value takes a length and as many bytes.
func (d *decoder) value() []byte {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(len(d.rest)-size) { //nolint:gosec // not negative
		d.fail("no length: %x", d.rest)
		return nil
	}
	value := d.rest[size:][:n]
	d.rest = d.rest[size:][n:]
	return value
}

// fields takes all fields of an object.
func (d *decoder) fields(takes map[byte]func([]byte)) {
	for last := 0; len(d.rest) > 0; {
		tag := d.rest[0]
		d.rest = d.rest[1:]
		value, take := d.value(), takes[tag]
		if int(tag) <= last || take == nil {
			d.fail("tag %x after %x", tag, last)
			return
		}
		last = int(tag)
		take(value)
	}
}

// sub reads the bytes of a field.
func (d *decoder) sub(read func(*decoder)) func([]byte) {
	return func(value []byte) {
		inner := &decoder{rest: value}
		read(inner)
		d.err = errors.Join(d.err, inner.err)
	}
}

func (d *decoder) text(to *string) func([]byte) {
	return func(value []byte) { *to = string(value) }
}

func (d *decoder) number(to *int32) func([]byte) {
	return func(value []byte) {
		n := int64(binary.BigEndian.Uint64(value)) //nolint:gosec // two's complement
		if n < math.MinInt32 || n > math.MaxInt32 || len(value) != 8 {
			d.fail("number %x", value)
		}
		*to = int32(n) //nolint:gosec // within the bounds
	}
}

func (d *decoder) pairs(to *map[string]string) func([]byte) {
	return d.sub(func(d *decoder) {
		*to = map[string]string{}
		for last := ""; len(d.rest) > 0; {
			key := string(d.value())
			if len(*to) > 0 && key <= last {
				d.fail("key %q after %q", key, last)
			}
			(*to)[key], last = string(d.value()), key
		}
	})
}

func (d *decoder) reference(to **v1alpha1.LocalReference) func([]byte) {
	return func(value []byte) {
		*to = &v1alpha1.LocalReference{}
		d.sub(func(d *decoder) { d.fields(map[byte]func([]byte){1: d.text(&(*to).Name)}) })(value)
	}
}

func (d *decoder) destination(to *v1alpha1.AuditDestination) func([]byte) {
	return d.sub(func(d *decoder) { d.fields(map[byte]func([]byte){1: d.text(&to.Host), 2: d.number(&to.Port)}) })
}

func (d *decoder) window(to **metav1.Time) func([]byte) {
	return func(value []byte) {
		*to = &metav1.Time{Time: time.Unix(int64(binary.BigEndian.Uint64(value)), 0)} //nolint:gosec // two's complement
		if len(value) != 8 {
			d.fail("time %x", value)
		}
	}
}

// decode returns the event of a form.
func decode(form []byte) (*v1alpha1.AuditEvent, error) {
	ae, d := &v1alpha1.AuditEvent{}, &decoder{rest: form}
	s := &ae.Spec
	d.fields(map[byte]func([]byte){
		0x01: d.text(&ae.Name), 0x02: d.text(&ae.Namespace), 0x03: d.pairs(&ae.Labels), 0x04: d.pairs(&ae.Annotations),
		0x10: d.reference(&s.RunRef), 0x11: d.text((*string)(&s.Decision)), 0x12: d.text((*string)(&s.Kind)),
		0x13: func(value []byte) {
			seconds := int64(binary.BigEndian.Uint64(value)) //nolint:gosec // two's complement
			s.Timestamp.Time = time.Unix(seconds, int64(binary.BigEndian.Uint32(value[8:])))
			if len(value) != 12 {
				d.fail("time %x", value)
			}
		},
		0x14: d.sub(func(d *decoder) {
			s.Actor = &v1alpha1.AuditActor{}
			d.fields(map[byte]func([]byte){
				1: d.text(&s.Actor.User), 3: d.text(&s.Actor.ServiceAccount), 4: d.text(&s.Actor.SourceAddress), 5: d.text(&s.Actor.UserAgent),
				2: d.sub(func(d *decoder) {
					for len(d.rest) > 0 {
						s.Actor.Groups = append(s.Actor.Groups, string(d.value()))
					}
				}),
			})
		}),
		0x15: d.sub(func(d *decoder) {
			o := &v1alpha1.AuditObject{}
			s.Object = o
			d.fields(map[byte]func([]byte){
				1: d.text(&o.Group), 2: d.text(&o.Resource), 3: d.text(&o.Namespace), 4: d.text(&o.Name), 5: d.text(&o.UID), 6: d.text(&o.Subresource),
			})
		}),
		0x16: d.sub(func(d *decoder) {
			s.Request = &v1alpha1.AuditRequest{}
			d.fields(map[byte]func([]byte){1: d.text(&s.Request.ID), 2: d.text(&s.Request.Verb)})
		}),
		0x17: d.sub(func(d *decoder) {
			s.Trace = &v1alpha1.AuditTrace{}
			d.fields(map[byte]func([]byte){1: d.text(&s.Trace.TraceID), 2: d.text(&s.Trace.SpanID)})
		}),
		0x18: func(value []byte) { s.Destination = &v1alpha1.AuditDestination{}; d.destination(s.Destination)(value) },
		0x19: d.sub(func(d *decoder) {
			c := &v1alpha1.AuditCredential{}
			s.Credential = c
			d.fields(map[byte]func([]byte){1: d.text(&c.Name), 2: d.text(&c.Provider), 3: d.text(&c.Purpose)})
		}),
		0x1a: d.reference(&s.MatchedPolicy), 0x1b: d.text(&s.Reason), 0x1c: d.number(&s.Count),
		0x1d: d.sub(func(d *decoder) {
			for len(d.rest) > 0 {
				var to v1alpha1.AuditDestination
				d.destination(&to)(d.value())
				s.SampleDestinations = append(s.SampleDestinations, to)
			}
		}),
		0x1e: d.window(&s.WindowStart), 0x1f: d.window(&s.WindowEnd), 0x20: d.pairs(&s.Detail),
	})
	return ae, d.err
}

// counted returns what counts of an event, which docs/canonical.md lists.
func counted(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	c := &v1alpha1.AuditEvent{ObjectMeta: metav1.ObjectMeta{Name: ae.Name, Namespace: ae.Namespace}, Spec: *ae.Spec.DeepCopy()}
	own := func(all map[string]string) map[string]string {
		kept := map[string]string{}
		for key, value := range all {
			if strings.HasPrefix(key, "paddock.dev/") {
				kept[key] = value
			}
		}
		return kept
	}
	c.Labels, c.Annotations = own(ae.Labels), own(ae.Annotations)
	delete(c.Annotations, "paddock.dev/seal")
	delete(c.Annotations, "paddock.dev/omitted")
	for _, window := range []**metav1.Time{&c.Spec.WindowStart, &c.Spec.WindowEnd} {
		if *window != nil && (*window).Unix() == year1 {
			*window = nil
		}
	}
	trail := []v1alpha1.AuditKind{"trail-opened", "trail-checkpoint", "trail-closed", "trail-recovered", "trail-reaped"}
	if slices.Contains(trail, ae.Spec.Kind) {
		delete(c.Spec.Detail, "note")
	}
	return c
}

// mustComeBack fails unless the form of ae holds all that counts of it.
func mustComeBack(t *testing.T, ae *v1alpha1.AuditEvent) {
	t.Helper()
	form := canonical.AppendObject(nil, ae)
	got, err := decode(form)
	if err != nil {
		t.Fatalf("%v: %x", err, form)
	}
	want := counted(ae)
	if a, b := eventjson.Append(nil, got), eventjson.Append(nil, want); !bytes.Equal(a, b) {
		t.Fatalf("of the form comes\n%s, want\n%s", a, b)
	}
	// JSON has no fraction of the time.
	exact := ae.Spec.Timestamp.Time
	if at, err := time.Parse(time.RFC3339Nano, ae.Annotations[v1alpha1.AnnotationTimestamp]); err == nil && exact.Nanosecond() == 0 && at.Unix() == exact.Unix() {
		exact = at
	}
	if !got.Spec.Timestamp.Time.Equal(exact) {
		t.Fatalf("of the form comes the time %v, want %v", got.Spec.Timestamp.Time, exact)
	}
}

// The seconds between which JSON has a time.
const year1, year10000 = -62135596800, 253402300800

func TestTheFormHoldsAllThatCounts(t *testing.T) {
	g := newGenerator(1, time.Now(), "team-a")
	for range 5000 {
		mustComeBack(t, stored(t, g.event()))
	}
}

// stored returns ae as JSON gives it back: in UTF-8, and with whole seconds.
func stored(t *testing.T, ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	t.Helper()
	back, err := eventjson.Parse(eventjson.Append(nil, ae))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// FuzzTheFormHoldsAllThatCounts holds that two events that differ in what counts have other
// forms: each comes back from its own.
func FuzzTheFormHoldsAllThatCounts(f *testing.F) {
	f.Add([]byte("an event of some fields, as good as any other"), "\xffé\n", "paddock.dev/x", int64(1), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, text, key string, ns int64, kind uint8) {
		ae := &v1alpha1.AuditEvent{}
		randfill.NewFromGoFuzz(data).NilChance(.4).NumElements(0, 5).Funcs(
			func(s *string, c randfill.Continue) {
				*s = [...]string{"", text, c.String(9), key, text + text}[c.Intn(5)]
			},
			func(at *metav1.Time, c randfill.Continue) {
				at.Time = time.Unix(year1+c.Int63n(year10000-year1), c.Int63n(1e9))
			},
			func(m *metav1.FieldsV1, _ randfill.Continue) { _ = m.UnmarshalJSON([]byte("{}")) },
		).Fill(ae)
		if ae.Annotations == nil {
			ae.Annotations = map[string]string{}
		}
		ae.Annotations[key] = text
		kinds := []v1alpha1.AuditKind{ae.Spec.Kind, "trail-opened", "trail-checkpoint", "trail-closed", "trail-recovered", "trail-reaped"}
		ae.Spec.Kind = kinds[int(kind)%len(kinds)]
		ae.Annotations[v1alpha1.AnnotationTimestamp] = time.Unix(ae.Spec.Timestamp.Unix(), ns%1e9).UTC().Format(time.RFC3339Nano)
		mustComeBack(t, stored(t, ae))
	})
}
