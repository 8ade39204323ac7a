package driver

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
)

// Field is a field of an event that holds text of the event's writer. Its Path is that
// of kubectl, as in "spec.actor.user".
type Field = eventjson.Field

// Fields is a set of fields. AllFields has all of them.
type Fields = eventjson.Fields

// AllFields are all fields with text of the event's writer.
const AllFields = eventjson.AllFields

// Redacted returns a copy of the event with other texts; the event itself when change
// changes none. The copy is the same decision of the same component at the same time,
// under the same name.
//
// change is called with each text of these fields that is not empty, its field, and the
// key for a value of a map. It returns the text to store instead. "" removes the entry of a map or a
// list, the owner, or the reference, and empties any other field. The keys of maps are
// texts as well, of fields of their own, with which change is called after the value.
//
// What has to agree with a text follows it: the label paddock.dev/run the name of the
// run, and the annotation paddock.dev/owner the owners. An owner that is changed stands
// in the annotation only, because the garbage collector deletes an object whose owner it
// does not find.
//
// change gets texts as the writer gave them when Info.Redacts says so, and the new ones
// are brought within the bounds of the schema. Only an event of Decode, or of a
// destination, and the facts of a request have been shortened before. A label, or the key
// of a label or an annotation, that is not valid any more is repaired as the label of a
// run is: to a readable prefix and a hash of the new text. The labels and annotations
// that Write sets are not given to change.
func (e *Event) Redacted(fields Fields, change func(f Field, key, text string) string) *Event {
	r := redaction{fields: fields, change: change}
	c := &Event{}
	if e.whole != nil { // what is cut off could be the half of a private text
		c.flat.CopyOf(e.whole, AllFields) // fit changes any of them
	} else {
		c.flat.CopyOf(&e.flat, fields)
	}
	c.flat.Detail = r.pairs(c.flat.Detail, eventjson.FieldDetail, eventjson.FieldDetailKey)
	detail := r.changed
	r.spec(&c.flat.Spec)
	r.owners(&c.flat)
	c.flat.Labels = r.pairs(c.flat.Labels, eventjson.FieldLabel, eventjson.FieldLabelKey)
	c.flat.Annotations = r.pairs(c.flat.Annotations, eventjson.FieldAnnotation, eventjson.FieldAnnotationKey)
	if !r.changed {
		return e
	}
	if e.whole != nil {
		fit(&c.flat)
		c.flat.Spec.Timestamp = e.flat.Spec.Timestamp // the exact time
	} else if detail && !detailFits(c.flat.Detail) {
		c.flat.SetDetail(fitDetail(c.flat.Detail.Map(), nil))
	}
	if run := c.Run(); run != e.Run() {
		c.flat.Labels = setPair(c.flat.Labels, v1alpha1.LabelRun, names.RunLabel(run))
	}
	c.copyOf(e) // finish would only find the exact time, which is there
	return c
}

// redaction changes the texts of one event.
type redaction struct {
	fields  Fields
	change  func(f Field, key, text string) string
	changed bool // a text
}

// text returns what change makes of a text, within the bounds of its field.
func (r *redaction) text(f Field, key, text string) string {
	if text == "" || !r.fields.Has(f) {
		return text
	}
	to := r.change(f, key, text)
	if to == text {
		return text
	}
	r.changed = true
	return bounded(f, to)
}

func bounded(f Field, text string) string {
	switch {
	case text == "":
		return ""
	case f == eventjson.FieldLabel:
		return names.RunLabel(text)
	case f == eventjson.FieldLabelKey, f == eventjson.FieldAnnotationKey:
		if len(utilvalidation.IsQualifiedName(strings.ToLower(text))) > 0 {
			return names.RunLabel(text)
		}
	case f.Limit() > 0:
		return Shorten(text, f.Limit())
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func (r *redaction) spec(s *v1alpha1.AuditEventSpec) {
	for text, f := range eventjson.Texts(s) {
		if *text == "" || !r.fields.Has(f) {
			continue
		}
		if to := r.text(f, "", *text); to != *text {
			*text = to
		}
	}
	if !r.changed {
		return
	}
	if s.RunRef != nil && s.RunRef.Name == "" {
		s.RunRef = nil
	}
	if s.MatchedPolicy != nil && s.MatchedPolicy.Name == "" {
		s.MatchedPolicy = nil
	}
	if s.Actor != nil && r.fields.Has(eventjson.FieldActorGroup) {
		s.Actor.Groups = slices.DeleteFunc(s.Actor.Groups, func(group string) bool { return group == "" })
	}
}

// own are the labels and annotations that follow other fields, or have no text of the
// event's writer.
func own(key string) bool {
	switch key {
	case v1alpha1.LabelComponent, v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelRun,
		v1alpha1.AnnotationTimestamp, v1alpha1.AnnotationOwner, v1alpha1.AnnotationSeal:
		return true
	}
	return false
}

// pairs changes the entries of a map in place, and returns them in the order of their
// keys.
func (r *redaction) pairs(pairs eventjson.Pairs, values, keys Field) eventjson.Pairs {
	if !r.fields.Has(values) && !r.fields.Has(keys) {
		return pairs
	}
	n, renamed := 0, false // how many are kept
	for i, pair := range pairs {
		is := pair
		if keys == eventjson.FieldDetailKey || !own(pair.Key) {
			is = eventjson.Pair{Value: r.text(values, pair.Key, pair.Value), Key: r.text(keys, "", pair.Key)}
		}
		if is.Value == "" && pair.Value != "" || is.Key == "" && pair.Key != "" {
			continue
		}
		renamed = renamed || is.Key != pair.Key
		if n < i || is != pair { // writing to an object of the heap takes longer than comparing
			pairs[n] = is
		}
		n++
	}
	kept := pairs[:n]
	if renamed {
		r.distinguish(kept, keys)
	}
	return kept
}

// distinguish sorts pairs whose keys have changed, and numbers those that have become
// the same.
func (r *redaction) distinguish(pairs eventjson.Pairs, keys Field) {
	byKey := func(a, b eventjson.Pair) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	}
	slices.SortFunc(pairs, byKey)
	used := make(map[string]struct{}, len(pairs))
	for i := range pairs {
		used[pairs[i].Key] = struct{}{}
	}
	for i := 1; i < len(pairs); i++ {
		if pairs[i].Key != pairs[i-1].Key {
			continue
		}
		for j, n := i, 2; j < len(pairs) && pairs[j].Key == pairs[i-1].Key; n++ {
			key := numbered(pairs[j].Key, keys, n)
			if _, taken := used[key]; !taken {
				used[key] = struct{}{}
				pairs[j].Key = key
				j++
			}
		}
	}
	slices.SortFunc(pairs, byKey)
}

// numbered returns a key with a number, within its bounds.
func numbered(key string, f Field, n int) string {
	number := "-" + strconv.Itoa(n)
	if limit := f.Limit(); limit > 0 {
		return Shorten(key, limit-len(number)) + number
	}
	return bounded(f, key+number)
}

// owners changes the owners, and the annotation that repeats them. An event that comes
// back from a destination may have the annotation alone.
func (r *redaction) owners(e *eventjson.Event) {
	if !r.fields.Has(eventjson.FieldOwnerName) && !r.fields.Has(eventjson.FieldOwnerUID) {
		return
	}
	if owners := e.Owners(); len(owners) > 0 {
		r.ownersOf(e, owners)
		return
	}
	recorded, ok := e.Annotations.Get(v1alpha1.AnnotationOwner)
	if !ok {
		return
	}
	var owners []metav1.OwnerReference
	dec := json.NewDecoder(strings.NewReader(recorded))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&owners); err != nil || dec.More() { // somebody else has set it
		if to := r.text(eventjson.FieldOwnerName, "", recorded); to != recorded {
			e.Annotations = setPair(e.Annotations, v1alpha1.AnnotationOwner, to)
		}
		return
	}
	r.ownersOf(e, owners)
}

func (r *redaction) ownersOf(e *eventjson.Event, owners []metav1.OwnerReference) {
	var recorded, untouched []metav1.OwnerReference
	for _, owner := range owners {
		was := owner
		owner.Name = r.text(eventjson.FieldOwnerName, "", was.Name)
		owner.UID = types.UID(r.text(eventjson.FieldOwnerUID, "", string(was.UID)))
		if owner.Name == was.Name && owner.UID == was.UID {
			untouched = append(untouched, owner)
		}
		if owner.Name != "" && owner.UID != "" {
			recorded = append(recorded, owner)
		}
	}
	if len(untouched) == len(owners) {
		return
	}
	text := ""
	if len(recorded) > 0 {
		data, _ := json.Marshal(recorded) // of texts and booleans, which never fails
		text = string(data)
	}
	e.Annotations = setPair(e.Annotations, v1alpha1.AnnotationOwner, text)
	if a := e.Attached; a != nil {
		e.Attached = nil
		if len(untouched)+len(a.Finalizers) > 0 {
			e.Attached = &eventjson.Attached{OwnerReferences: untouched, Finalizers: a.Finalizers}
		}
	}
}

// setPair changes the entry of a key in place, and removes it when value is "".
func setPair(pairs eventjson.Pairs, key, value string) eventjson.Pairs {
	for i := range pairs {
		if pairs[i].Key != key {
			continue
		}
		if value == "" {
			return slices.Delete(pairs, i, i+1)
		}
		pairs[i].Value = value
		break
	}
	return pairs
}
