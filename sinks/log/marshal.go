package log

import (
	"errors"
	"slices"
	"strings"

	"go.uber.org/zap/zapcore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// The types here write what encoding/json would, field by field, without
// reflection. They are pointers into the line, which cost no allocation. A test
// holds them against encoding/json, so that a new field cannot be forgotten.

// metaView is metadata without what only a server sets.
type metaView line

// MarshalLogObject writes the object meta.
func (l *metaView) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	m := &l.meta
	addText(enc, "name", m.Name)
	addText(enc, "generateName", m.GenerateName)
	addText(enc, "namespace", m.Namespace)
	err := errors.Join(l.labels.addTo(enc, "labels"), l.annotations.addTo(enc, "annotations"))
	if len(m.OwnerReferences) > 0 {
		err = errors.Join(err, enc.AddArray("ownerReferences", (*ownerReferences)(&m.OwnerReferences)))
	}
	if len(m.Finalizers) > 0 {
		err = errors.Join(err, enc.AddArray("finalizers", (*texts)(&m.Finalizers)))
	}
	return err
}

// specView is what was decided.
type specView line

// MarshalLogObject writes the spec.
func (l *specView) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	l.encoded = true
	s, err := &l.spec, error(nil)
	if s.RunRef != nil {
		err = enc.AddObject("runRef", (*reference)(s.RunRef))
	}
	enc.AddString("decision", string(s.Decision))
	enc.AddString("kind", string(s.Kind))
	(*line)(l).addTime(enc, "timestamp", s.Timestamp)
	if s.Destination != nil {
		err = errors.Join(err, enc.AddObject("destination", (*destination)(s.Destination)))
	}
	if s.Credential != nil {
		err = errors.Join(err, enc.AddObject("credential", (*credential)(s.Credential)))
	}
	if s.MatchedPolicy != nil {
		err = errors.Join(err, enc.AddObject("matchedPolicy", (*reference)(s.MatchedPolicy)))
	}
	addText(enc, "reason", s.Reason)
	if s.Count != 0 {
		enc.AddInt32("count", s.Count)
	}
	if len(s.SampleDestinations) > 0 {
		err = errors.Join(err, enc.AddArray("sampleDestinations", (*destinations)(&s.SampleDestinations)))
	}
	if s.WindowStart != nil {
		(*line)(l).addTime(enc, "windowStart", *s.WindowStart)
	}
	if s.WindowEnd != nil {
		(*line)(l).addTime(enc, "windowEnd", *s.WindowEnd)
	}
	return errors.Join(err, l.detail.addTo(enc, "detail"))
}

// pairs are the entries of a map in the order of their keys.
type pairs []pair

type pair struct{ key, value string }

// add appends the entries of m.
func (p pairs) add(m map[string]string) pairs {
	before := len(p)
	for k, v := range m {
		p = append(p, pair{k, v})
	}
	slices.SortFunc(p[before:], func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return p
}

// addTo writes the entries, and nothing when there are none.
func (p *pairs) addTo(enc zapcore.ObjectEncoder, key string) error {
	if len(*p) == 0 {
		return nil
	}
	return enc.AddObject(key, p)
}

// MarshalLogObject writes the entries.
func (p *pairs) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, e := range *p {
		enc.AddString(e.key, e.value)
	}
	return nil
}

type reference v1alpha1.LocalReference

// MarshalLogObject writes the reference.
func (r *reference) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("name", r.Name)
	return nil
}

type destination v1alpha1.AuditDestination

// MarshalLogObject writes the destination.
func (d *destination) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	addText(enc, "host", d.Host)
	if d.Port != 0 {
		enc.AddInt32("port", d.Port)
	}
	return nil
}

type destinations []v1alpha1.AuditDestination

// MarshalLogArray writes the destinations.
func (d *destinations) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	var err error
	for i := range *d {
		err = errors.Join(err, enc.AppendObject((*destination)(&(*d)[i])))
	}
	return err
}

type credential v1alpha1.AuditCredential

// MarshalLogObject writes the credential's names.
func (c *credential) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	addText(enc, "name", c.Name)
	addText(enc, "provider", c.Provider)
	addText(enc, "purpose", c.Purpose)
	return nil
}

type ownerReference metav1.OwnerReference

// MarshalLogObject writes the reference.
func (o *ownerReference) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("apiVersion", o.APIVersion)
	enc.AddString("kind", o.Kind)
	enc.AddString("name", o.Name)
	enc.AddString("uid", string(o.UID))
	if o.Controller != nil {
		enc.AddBool("controller", *o.Controller)
	}
	if o.BlockOwnerDeletion != nil {
		enc.AddBool("blockOwnerDeletion", *o.BlockOwnerDeletion)
	}
	return nil
}

type ownerReferences []metav1.OwnerReference

// MarshalLogArray writes the references.
func (o *ownerReferences) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	var err error
	for i := range *o {
		err = errors.Join(err, enc.AppendObject((*ownerReference)(&(*o)[i])))
	}
	return err
}

type texts []string

// MarshalLogArray writes the texts.
func (t *texts) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, text := range *t {
		enc.AppendString(text)
	}
	return nil
}

// addText writes a text, and nothing when it is empty.
func addText(enc zapcore.ObjectEncoder, key, value string) {
	if value != "" {
		enc.AddString(key, value)
	}
}
