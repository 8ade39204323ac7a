package sinktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

var ownershipClauses = []Clause{{
	Name: "keeps nothing of the event",
	Explanation: `The caller owns the event again when Write returns, whether with nil or because
its context ended: changing it then changes nothing that is stored, and is no data
race. A driver gets an event that never changes; what else goes on in the background
works on a deep copy.`,
	check: keepsNothing,
}, {
	Name: "leaves the caller's spec as it is",
	Explanation: `Write may fill in metadata, and never changes what was decided: in the caller's
event a text that is too long for the destination remains whole. A sink shortens,
sorts and normalises in a copy.`,
	check: leavesSpecAlone,
}}

func keepsNothing(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	names := make([]string, 4)
	for i := range names {
		ae := p.complete()
		names[i] = ae.Name
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return err
		}
		overwrite(ae)
	}
	got, err := p.read(subject, names)
	if err != nil {
		return fmt.Errorf("after the caller changed its event: %w", err)
	}
	for i := range got {
		if isOverwritten(&got[i]) {
			return fmt.Errorf("the caller's change after Write is in the stored event: %s", printed(got[i]))
		}
	}
	return p.keepsNothingOfACancelledWrite()
}

// keepsNothingOfACancelledWrite cancels a Write and changes the event. The race
// detector finds a sink that still reads the event when the destination answers.
func (p *probe) keepsNothingOfACancelledWrite() error {
	if p.h.Hanging == nil {
		return nil
	}
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	before, after := p.complete(), p.complete()
	for _, ae := range []*v1alpha1.AuditEvent{before, after} {
		ctx, cancel := context.WithTimeout(p.ctx, endsAfter)
		_, broken := p.write(ctx, fault.Sink, ae)
		cancel()
		if broken != nil {
			return broken
		}
	}
	// Release may synchronise with the sink. Then the race detector does not report the
	// change before Release, but it reports the change after it.
	overwrite(before)
	fault.Release()
	overwrite(after)
	return nil
}

const overwritten = "overwritten"

// overwrite changes every part of an event that a sink could have kept.
func overwrite(ae *v1alpha1.AuditEvent) {
	for _, m := range []map[string]string{ae.Labels, ae.Annotations, ae.Spec.Detail} {
		for k := range m {
			m[k] = overwritten
		}
	}
	s := &ae.Spec
	s.RunRef.Name, s.MatchedPolicy.Name, s.Reason = overwritten, overwritten, overwritten
	s.Decision, s.Kind = v1alpha1.AuditDecisionGranted, overwritten
	*s.Destination = v1alpha1.AuditDestination{Host: overwritten, Port: 1}
	*s.Credential = v1alpha1.AuditCredential{Name: overwritten}
	s.SampleDestinations[0].Host = overwritten
	*s.WindowStart, *s.WindowEnd, s.Timestamp = metav1.Time{}, metav1.Time{}, metav1.Time{}
	s.Count = 99
}

func isOverwritten(ae *v1alpha1.AuditEvent) bool {
	s := &ae.Spec
	text, err := json.Marshal(ae)
	return err != nil || bytes.Contains(text, []byte(overwritten)) ||
		s.WindowStart != nil && s.WindowStart.IsZero() || s.WindowEnd != nil && s.WindowEnd.IsZero()
}

func leavesSpecAlone(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	ordinary, hostile := p.complete(), p.complete()
	hostile.Spec.Reason = strings.Repeat("too long \xff", 2000)
	hostile.Spec.RunRef.Name = "Run/with odd\x00characters"
	hostile.Spec.Destination.Port = 70_000
	hostile.Spec.SampleDestinations = make([]v1alpha1.AuditDestination, 5)
	hostile.Spec.Detail["long"] = strings.Repeat("long", 5000)
	for _, ae := range []*v1alpha1.AuditEvent{ordinary, hostile} {
		before := ae.Spec.DeepCopy()
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return err
		}
		if err := unchanged(before, &ae.Spec); err != nil {
			return err
		}
	}
	if p.h.Failing == nil {
		return nil
	}
	fault, err := p.failing()
	if err != nil {
		return err
	}
	ae := p.complete()
	before := ae.Spec.DeepCopy()
	if _, broken := p.refused(p.ctx, fault.Sink, ae); broken != nil {
		return broken
	}
	if err := unchanged(before, &ae.Spec); err != nil {
		return fmt.Errorf("by a Write that failed: %w", err)
	}
	return nil
}

func unchanged(before, after *v1alpha1.AuditEventSpec) error {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	return errors.New("the caller's spec was changed:\n got  " + printed(after) + "\n want " + printed(before))
}
